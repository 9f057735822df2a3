"""A registry that changes while a run reads it, and an independent check of what the run may store."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from etl.enums import Entity
from etl.models import Base, MlRepo
from etl.records.canonical import canonical
from etl.simulator import Registry
from etl.sync import Summary
from tests.support.sync_env import ENTITIES, SyncEnv, with_latest_by_id

ORDERS = ("created", "created_desc", "name", "recent", "shuffled")
PAGE_SIZES = (2, 3, 7, 16, 25)
Change = tuple[str, int]
"""A kind of WORK, and the position of the record to change."""


def _add_ml_repo(registry: Registry, _id: str) -> None:
    registry.add_ml_repo()


def _describe_ml_repo(registry: Registry, repo: str) -> None:
    registry.set_fields(repo, {"num_runs": registry.get("ml-repos", repo)["num_runs"] + 1}, touch=False)


WORK: dict[str, tuple[str, Callable[[Registry, str], object]]] = {
    "insert ML repo": ("ml-repos", _add_ml_repo),
    "describe ML repo": ("ml-repos", _describe_ml_repo),
    "delete ML repo": ("ml-repos", Registry.delete_ml_repo),
    "insert model": ("ml-repos", Registry.add_model),
    "touch model": ("models", Registry.touch),
    "delete model": ("models", Registry.delete_model),
    "insert version": ("models", Registry.add_version),
    "touch version": ("model-versions", Registry.touch),
    "delete version": ("model-versions", Registry.delete_version),
}
"""Each kind of change, with the list from which it takes a record. No deleted record returns."""


class Truth:
    """Each state that each record had since the start of a run: what a complete run may have stored."""

    def __init__(self, registry: Registry) -> None:
        """Note the state at the start of the run."""
        self._registry = registry
        self._states: dict[Entity, dict[str, set[bytes]]] = {entity: defaultdict(set) for entity in ENTITIES}
        self.note()

    def note(self) -> None:
        """Note the state of every record; call it after each change."""
        for entity, states in self._states.items():
            of_registry = entity.replace("_", "-")
            for record in self._registry.ids(of_registry):
                if text := self._registry.text(of_registry, record):
                    states[record].add(text)

    def wrong(self, held: dict[str, dict[str, str]]) -> list[tuple[Entity, str]]:
        """Return the records that are stored in a state that they did not have during the run."""
        return [
            (entity, record)
            for entity, states in self._states.items()
            for record, stored in held[entity].items()
            if stored not in {canonical(with_latest_by_id(json.loads(text))) for text in states.get(record, ())}
        ]


@dataclass
class MovingRegistry:
    """Runs over a registry that changes while it is read, each compared with what it may have stored."""

    env: SyncEnv
    found: Counter[str] = field(default_factory=Counter)
    """How many runs were complete and unproven, and how many changes were made while they read."""

    @property
    def runs(self) -> int:
        """The number of runs during which the registry changed."""
        return self.found["complete"] + self.found["unproven"]

    @property
    def registry(self) -> Registry:
        return self.env.registry

    def change(self, work: str, position: int) -> None:
        """Change the record at a position, modulo the length of the list; do nothing if the list is empty."""
        entity, do = WORK[work]
        if ids := self.registry.ids(entity):
            do(self.registry, ids[position % len(ids)])

    def sync(self, page_size: int, workers: int) -> Summary:
        """Sync without confirming deletes by id, because the lists alone must prove them."""
        return self.env.sync(
            page_size=page_size, concurrency=workers, allow_mass_delete=True, confirm_deletes=0, max_sweeps=3
        )

    def sync_during(self, script: Iterable[list[Change]], page_size: int, workers: int) -> None:
        """Sync while the next changes of the script are made before each request, and check the result."""
        remaining, truth, changes, lock = iter(script), Truth(self.registry), Counter[str](), threading.Lock()

        def hook(_number: int, _path: str, _query: dict[str, list[str]]) -> None:
            with lock:
                for work, position in next(remaining, []):
                    self.change(work, position)
                    truth.note()
                    changes["changes"] += 1

        before = self._ids()
        self.env.plane.before_request = hook
        summary = self.sync(page_size, workers)
        with lock:  # a request that the run did not wait for may still arrive, and must change nothing
            remaining = iter(())
        self.env.plane.before_request = None
        self._check(before, truth, complete=summary.complete)
        if changes:
            kind = "complete" if summary.complete else "unproven"
            self.found += changes + Counter({kind: 1, f"{kind} with {workers} worker{'s' if workers > 1 else ''}": 1})

    def sync_at_rest(self, page_size: int, workers: int) -> None:
        """Sync while nothing changes: the run must be complete, and the tables equal the source.

        A derived ML repo that was deleted before any list had returned it stays, because it may only be hidden.
        """
        summary = self.sync(page_size, workers)

        assert summary.complete, summary.warnings
        held, served = self.env.held(), self.env.served()
        derived = self._derived()
        different = {
            record: (records.get(record), served[entity].get(record))
            for entity, records in held.items()
            for record in records.keys() | served[entity].keys()
            if records.get(record) != served[entity].get(record) and record not in derived - served[entity].keys()
        }
        assert different == {}, summary.plan
        self.found["at rest"] += 1

    def _check(self, before: dict[Entity, set[str]], truth: Truth, *, complete: bool) -> None:
        after, held = self._ids(), self.env.held()
        if complete:
            wrong = [(entity, record) for entity, record in truth.wrong(held) if record not in self._derived()]
            assert wrong == [], (wrong, self.registry.order)
        for entity in ENTITIES:
            throughout = before[entity] & after[entity]
            if complete:
                assert throughout <= held[entity].keys(), (entity, self.registry.order)
            stored = {row["id"] for row in self.env.rows(Base.metadata.tables[entity])}
            deleted = stored - held[entity].keys()
            assert not deleted & throughout, (entity, self.registry.order, "deleted, though it exists")

    def _derived(self) -> set[str]:
        """Return the ML repos that no list has returned yet: they were added while the run read their models."""
        return {row["id"] for row in self.env.rows(MlRepo, MlRepo.is_derived.is_(True))}

    def _ids(self) -> dict[Entity, set[str]]:
        return {entity: set(self.registry.ids(entity.replace("_", "-"))) for entity in ENTITIES}
