"""A registry in which people work while it is read, in any order of its lists, any interleaving, 1 worker and 8."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import make_url

from etl.simulator import Registry
from tests.support.databases import new_database
from tests.support.load_factor import LOAD_FACTOR, report
from tests.support.sync_env import ENTITIES, sync_env

ORDERS = ("created", "created_desc", "name", "recent", "shuffled")
NewDatabase = Callable[[], AbstractContextManager[str]]


def insert_ml_repo(registry: Registry, _id: str) -> None:
    registry.add_ml_repo()


def describe_ml_repo(registry: Registry, repo: str) -> None:
    registry.set_fields(repo, {"num_runs": registry.get("ml-repos", repo)["num_runs"] + 1}, touch=False)


WORK: dict[str, tuple[str, Callable[[Registry, str], object]]] = {
    "insert ML repo": ("ml-repos", insert_ml_repo),
    "describe ML repo": ("ml-repos", describe_ml_repo),
    "delete ML repo": ("ml-repos", Registry.delete_ml_repo),
    "insert model": ("ml-repos", Registry.add_model),
    "touch model": ("models", Registry.touch),
    "delete model": ("models", Registry.delete_model),
    "insert version": ("models", Registry.add_version),
    "touch version": ("model-versions", Registry.touch),
    "delete version": ("model-versions", Registry.delete_version),
}
"""Each kind of work, with the list out of which it takes a record. What goes, goes for good."""

works = st.tuples(st.sampled_from(sorted(WORK)), st.integers(0, 99))
scripts = st.lists(st.lists(works, max_size=3), max_size=40)
page_sizes = st.sampled_from([2, 3, 7, 16, 25])


class MovingRegistry(RuleBasedStateMachine):
    """Runs that are read from while somebody works, and runs after which everybody rested."""

    new_database: ClassVar[NewDatabase]
    found: ClassVar[dict[str, int]]

    def __init__(self) -> None:
        """Begin with an empty database and a small registry."""
        super().__init__()
        self.stack = ExitStack()
        registry = Registry.generate(seed=5, ml_repos=3, models=20, versions=2, metrics=1)
        url = self.stack.enter_context(type(self).new_database())
        self.env = self.stack.enter_context(sync_env(url, registry))
        self.one_at_a_time = threading.Lock()

    def teardown(self) -> None:
        self.stack.close()

    @property
    def registry(self) -> Registry:
        return self.env.registry

    def ids(self) -> dict[str, set[str]]:
        return {entity: set(self.registry.ids(entity.replace("_", "-"))) for entity in ENTITIES}

    def work(self, what: str, which: int) -> None:
        entity, do = WORK[what]
        if ids := self.registry.ids(entity):
            do(self.registry, ids[which % len(ids)])

    def sync(self, page_size: int, workers: int) -> Any:
        # Whether a list proves what is gone is the question here: nobody asks a second time.
        return self.env.sync(
            page_size=page_size, concurrency=workers, allow_mass_delete=True, confirm_deletes=0, max_sweeps=3
        )

    @initialize(order=st.sampled_from(ORDERS), page_size=page_sizes)
    def begin(self, order: str, page_size: int) -> None:
        self.registry.order = order
        self.sync(page_size, 1)

    @rule(order=st.sampled_from(ORDERS))
    def list_in_another_order(self, order: str) -> None:
        self.registry.order = order

    @rule(done=st.lists(works, max_size=5))
    def work_between_runs(self, done: list[tuple[str, int]]) -> None:
        for what, which in done:
            self.work(what, which)

    @rule(script=scripts, page_size=page_sizes, workers=st.sampled_from([1, 8]))
    def read_while_somebody_works(self, script: list[list[tuple[str, int]]], page_size: int, workers: int) -> None:
        coming = iter(script)

        def hook(_number: int, _path: str, _query: dict[str, list[str]]) -> None:
            with self.one_at_a_time:
                for what, which in next(coming, []):
                    self.work(what, which)

        before = self.ids()
        self.env.plane.before_request = hook
        summary = self.sync(page_size, workers)
        self.env.plane.before_request = None

        after, held = self.ids(), {entity: set(records) for entity, records in self.env.held().items()}
        self.found["complete" if summary.complete else "unproven"] += 1
        for entity in ENTITIES:
            throughout = before[entity] & after[entity]
            if summary.complete:
                assert throughout <= held[entity], (entity, self.registry.order)
            stored = {row["id"] for row in self.env.rows(self.table(entity))}
            assert not (stored - held[entity]) & throughout, (entity, self.registry.order, "deleted, and is there")

    @rule(order=st.sampled_from(ORDERS[:-1]), page_size=page_sizes, workers=st.sampled_from([1, 8]))
    def read_once_everybody_rests(self, order: str, page_size: int, workers: int) -> None:
        self.registry.order = order
        summary = self.sync(page_size, workers)

        assert summary.complete, summary.warnings
        assert self.env.held() == self.env.served()

    @staticmethod
    def table(entity: str) -> Any:
        from etl.models import Base

        return Base.metadata.tables[entity]


@pytest.mark.timeout(300 * LOAD_FACTOR)
def test_no_work_hides_a_record_from_a_complete_run_or_deletes_one(
    dialect: str, request: pytest.FixtureRequest
) -> None:
    found = {"complete": 0, "unproven": 0}
    machine = type("Machine", (MovingRegistry,), {"new_database": databases(dialect, request), "found": found})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8 * LOAD_FACTOR,
            stateful_step_count=8,
            suppress_health_check=list(HealthCheck),
            deadline=None,
            print_blob=True,
        ),
    )

    report(f"runs under drift, {dialect}", **found)
    assert found["complete"], found


def databases(dialect: str, request: pytest.FixtureRequest) -> NewDatabase:
    """Fresh databases at the newest revision, one for each example."""
    if dialect == "postgresql":
        server, template = (request.getfixturevalue(name) for name in ("postgres_url", "migrated_template"))
        return staticmethod(lambda: new_database(server, template=template))
    content = Path(request.getfixturevalue("migrated_file")).read_bytes()

    @contextmanager
    def new_file() -> Any:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "registry.db"
            path.write_bytes(content)
            yield str(make_url(f"sqlite:///{path}"))

    return staticmethod(new_file)
