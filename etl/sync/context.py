"""The inputs and the state of one run, from its start to its end."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from etl.enums import Coverage, Entity
from etl.settings import Settings
from etl.source import Client
from etl.store import ScopeState, Store, Vocabulary
from etl.sync.monitor import RunMonitor
from etl.sync.retry_rejected import RejectedRetry
from etl.sync.scope import Scope
from etl.sync.signals import Interrupts


class Progress(Protocol):
    """Receives the progress of a run."""

    def phase(self, name: str) -> None:
        """Report that a part of the run begins."""

    def advance(self, entity: Entity, records: int, total: int | None) -> None:
        """Report `records` records as read; `total` is the list's length, if known."""


@dataclass
class Context:
    """One run. `why_full` is final once the models are read, and `coverage` once the versions are."""

    settings: Settings
    scope: Scope
    store: Store
    client: Client
    interrupts: Interrupts
    progress: Progress
    monitor: RunMonitor
    started_at: datetime
    state: ScopeState
    first_load: bool
    retry: RejectedRetry | None
    words: Vocabulary
    list_all_changes: bool = False
    why_full: str | None = None
    coverage: Coverage | None = None

    @property
    def id(self) -> str:
        """The run's id."""
        return self.monitor.run_id

    @property
    def mode(self) -> str:
        """`full` if the run compares every version, else `incremental`."""
        return "incremental" if self.why_full is None else "full"

    def phase(self, name: str) -> None:
        """Begin a part of the run, unless a signal was received."""
        self.interrupts.check()
        self.progress.phase(name)

    def advance(self, entity: Entity, records: int, total: int | None) -> None:
        """Count records that were read, unless a signal was received."""
        self.interrupts.check()
        self.progress.advance(entity, records, total)

    def so_far(self) -> dict[str, Any]:
        """The columns of the run's row that are known so far."""
        return {
            "api_prefix": self.client.prefix,
            "mode": self.mode,
            "coverage": self.coverage,
            "requests": self.client.requests,
            "retries": self.client.retries,
            "bytes_received": self.client.bytes_received,
        }
