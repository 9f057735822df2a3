"""The result of a run, for people and for programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from etl.changes import PlannedChanges
from etl.enums import Coverage, Entity, RunStatus
from etl.errors import DeleteLimitExceeded
from etl.store import Tally
from etl.sync.plan import Plan


@dataclass(frozen=True)
class Summary:
    """The result of a run. `plan` says how versions were read; `run_id` is None for a dry run.

    `coverage` is None for a run that only retried rejected records. `needs_acceptance`: the control plane offers less
    than before, and each run will be partial until one has `accept_coverage`. `changes` are those that a dry run found.
    """

    run_id: str | None
    status: RunStatus
    complete: bool
    coverage: Coverage | None
    mode: str
    proof: str | None
    duration_s: float
    requests: int
    retries: int
    bytes_received: int
    tallies: Mapping[Entity, Tally]
    plan: Plan
    needs_acceptance: bool = False
    changes: PlannedChanges | None = None
    warnings: list[str] = field(default_factory=list)
    live: Mapping[Entity, int] = field(default_factory=dict)
    """Live records of the scope by table, before the run wrote; no ML repos if filters select models."""

    @property
    def rejected(self) -> int:
        """The number of rejected records."""
        return sum(tally.rejected for tally in self.tallies.values())

    def total(self, entity: Entity) -> int:
        """The number of the scope's live records of a table after the run."""
        tally = self.tallies[entity]
        return self.live.get(entity, 0) + tally.inserted + tally.restored - tally.deleted

    @property
    def exit_code(self) -> int:
        """The exit code of the run.

        0: success. 3: records were rejected, or completeness is not proven. 5: a dry run found too many deletes.
        """
        if self.status is RunStatus.REFUSED:
            return DeleteLimitExceeded.exit_code
        return 0 if self.complete and not self.rejected else 3

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--output json` prints."""
        shown = ("seen", "inserted", "updated", "unchanged", "deleted", "restored")
        return {
            "run_id": self.run_id,
            "status": self.status,
            "complete": self.complete,
            "coverage": self.coverage,
            "mode": self.mode,
            "proof": self.proof,
            "duration_s": round(self.duration_s, 3),
            "requests": self.requests,
            "retries": self.retries,
            "bytes": self.bytes_received,
            **{entity: {name: getattr(tally, name) for name in shown} for entity, tally in self.tallies.items()},
            "rejected": self.rejected,
            "plan": {"versions": self.plan.way, "requests": self.plan.requests, "because": self.plan.because},
            "warnings": self.warnings,
        }


def counts_of(tallies: Mapping[Entity, Tally]) -> str:
    """Return the counts as one line: `models: 12 seen, 1 updated, 11 unchanged; …`."""
    parts = (
        (entity, ", ".join(f"{count} {name}" for name, count in tally._asdict().items() if count))
        for entity, tally in tallies.items()
    )
    return "; ".join(f"{entity}: {counts or 'none seen'}" for entity, counts in parts)
