"""Runs over a registry that is edited while it is read: in any list order and interleaving, with 1 worker and 8."""

import random
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
from tests.support.load_factor import LOAD_FACTOR, is_time_to_report, repetitions, report
from tests.support.moving_registry import ORDERS, PAGE_SIZES, WORK, Change, MovingRegistry
from tests.support.sync_env import sync_env

NewDatabase = Callable[[], AbstractContextManager[str]]

edits = st.tuples(st.sampled_from(sorted(WORK)), st.integers(0, 99))
scripts = st.lists(st.lists(edits, max_size=3), max_size=40)
page_sizes = st.sampled_from(PAGE_SIZES)

SMALL_PAGES = (3, 7, 16)
FREQUENT = sorted(set(WORK) - {"insert ML repo", "delete ML repo"})
MAX_VERSIONS = 60
"""With more versions, models are deleted, so that the runs stay short."""
RUNS, RUNS_WITH_8_WORKERS = repetitions(10, at_full_scale=1000), repetitions(1, at_full_scale=2000)


class Machine(RuleBasedStateMachine):
    """Runs during edits of the registry, and runs without edits."""

    new_database: ClassVar[NewDatabase]

    def __init__(self) -> None:
        """Begin with an empty database and a small registry."""
        super().__init__()
        self.stack = ExitStack()
        registry = Registry.generate(seed=5, ml_repos=3, models=20, versions=2, metrics=1)
        url = self.stack.enter_context(type(self).new_database())
        self.moving = MovingRegistry(self.stack.enter_context(sync_env(url, registry)))

    def teardown(self) -> None:
        self.stack.close()

    @initialize(order=st.sampled_from(ORDERS), page_size=page_sizes)
    def first_run(self, order: str, page_size: int) -> None:
        self.moving.registry.order = order
        self.moving.sync(page_size, 1)

    @rule(order=st.sampled_from(ORDERS))
    def change_list_order(self, order: str) -> None:
        self.moving.registry.order = order

    @rule(changes=st.lists(edits, max_size=5))
    def edit_between_runs(self, changes: list[Change]) -> None:
        for kind, place in changes:
            self.moving.change(kind, place)

    @rule(script=scripts, page_size=page_sizes, workers=st.sampled_from([1, 8]))
    def sync_during_edits(self, script: list[list[Change]], page_size: int, workers: int) -> None:
        self.moving.sync_during(script, page_size, workers)

    @rule(order=st.sampled_from(ORDERS[:-1]), page_size=page_sizes, workers=st.sampled_from([1, 8]))
    def sync_without_edits(self, order: str, page_size: int, workers: int) -> None:
        self.moving.registry.order = order
        self.moving.sync_at_rest(page_size, workers)


@pytest.mark.timeout(300 * LOAD_FACTOR)
def test_edits_never_hide_a_record_from_a_complete_run_nor_make_it_delete_one(
    dialect: str, request: pytest.FixtureRequest
) -> None:
    run_state_machine_as_test(
        type("Machine", (Machine,), {"new_database": databases(dialect, request)}),
        settings=settings(
            max_examples=repetitions(5, at_full_scale=40),
            stateful_step_count=8,
            suppress_health_check=list(HealthCheck),
            deadline=None,
            print_blob=True,
        ),
    )


@pytest.mark.timeout(300 * LOAD_FACTOR)
@pytest.mark.parametrize(
    ("workers", "run_count"), [((1, 8), RUNS), ((8,), RUNS_WITH_8_WORKERS)], ids=["1 or 8 workers", "8 workers"]
)
def test_complete_run_over_moving_lists_stores_exactly_the_served_records(
    dialect: str, migrated_url: str, workers: tuple[int, ...], run_count: int
) -> None:
    rng = random.Random()  # noqa: S311 no secret
    name = "runs over moving lists" if len(workers) > 1 else f"runs over moving lists, {workers[0]} workers"
    registry = Registry.generate(seed=5, ml_repos=3, models=12, versions=2, metrics=1)
    with sync_env(migrated_url, registry) as env:
        moving = MovingRegistry(env)
        moving.sync_at_rest(25, 1)
        # Of a few runs, most may be unproven by chance: only more runs show the share of complete ones.
        while (runs_before := moving.runs) < run_count or (
            moving.found["complete"] < runs_before // 2 and runs_before < 4 * run_count
        ):
            registry.order = rng.choice(ORDERS)
            moving.sync_during(random_script(rng, registry), rng.choice(SMALL_PAGES), rng.choice(workers))
            if rng.random() < 0.1:
                registry.order = rng.choice(ORDERS[:-1])
                moving.sync_at_rest(rng.choice(SMALL_PAGES), rng.choice(workers))
            if moving.runs > runs_before and is_time_to_report(moving.runs, run_count):
                report(name, dialect, runs=moving.runs, **moving.found)
    assert moving.found["complete"] >= moving.runs // 2


def random_script(rng: random.Random, registry: Registry) -> list[list[Change]]:
    """Return changes for the requests of a run, from a change in every eighth request to three in each."""
    probability, max_changes = rng.choice([0.12, 0.3, 1.0]), rng.choice([1, 1, 3])
    kinds = [*FREQUENT * 5, *WORK]
    if len(registry.ids("model-versions")) > MAX_VERSIONS:
        kinds += ["delete model"] * 20
    if len(registry.ids("models")) < 8 or len(registry.ids("ml-repos")) < 3:
        kinds = ["insert ML repo", *["insert model", "insert version"] * 3, "touch model", "touch version"]
    requests = [rng.randint(1, max_changes) if rng.random() < probability else 0 for _ in range(40)]
    return [[(rng.choice(kinds), rng.randrange(99)) for _ in range(changes)] for changes in requests]


def databases(dialect: str, request: pytest.FixtureRequest) -> NewDatabase:
    """Return a function that creates a database at the newest revision for each example."""
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
