"""A simulated control plane and a database, for tests of whole runs."""

import json
import os
import subprocess
import sys
import weakref
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, create_engine, select, text

from etl.enums import Entity
from etl.models import Base
from etl.records import (
    MetricRow,
    MlRepoRow,
    ModelRow,
    ModelRunStepRow,
    ModelVersionRow,
    PackageRow,
    SubjectRow,
    TagRow,
)
from etl.records.canonical import canonical
from etl.settings import Settings
from etl.simulator import Registry, Simulator
from etl.store.engine import dialect_of
from etl.sync import Interrupts, Summary, run
from tests.support.preloaded_command import Done, RunningCommand, run_preloaded
from tests.support.rebuild_records import rebuild

TOKEN = "secret-of-these-tests"
OF_EACH_RUN = frozenset({"sync_runs", "sync_run_counts", "sync_scopes"})
"""Tables that each run writes."""

BOOKKEEPING = OF_EACH_RUN | {"production_words", "metric_words"}
"""Tables that hold no part of the registry: a run may write them although it has not changed."""

ROWS: dict[str, type[Any]] = {
    "ml_repos": MlRepoRow,
    "models": ModelRow,
    "model_run_steps": ModelRunStepRow,
    "model_versions": ModelVersionRow,
    "model_version_tags": TagRow,
    "model_version_metrics": MetricRow,
    "model_version_packages": PackageRow,
    "subjects": SubjectRow,
}
ENTITIES: dict[Entity, tuple[str, ...]] = {
    Entity.ML_REPOS: (),
    Entity.MODELS: ("model_run_steps",),
    Entity.MODEL_VERSIONS: ("model_version_tags", "model_version_metrics", "model_version_packages"),
}

# Bytecode is kept, so that the many processes do not compile all modules again.
_QUICK = {"TFY_ETL_PAGE_SIZE": "20", "TFY_ETL_MAX_RETRIES": "0", "PYTHONDONTWRITEBYTECODE": ""}

Process = RunningCommand | subprocess.Popen[str]
Row = dict[str, Any]
Tables = dict[str, list[tuple[Any, ...]]]


class Silent:
    """Progress without output."""

    def phase(self, name: str) -> None:
        """Print nothing."""

    def advance(self, entity: str, records: int, total: int | None) -> None:
        """Print nothing."""


@dataclass
class SyncEnv:
    """A running control plane, and the URL of a database at the newest revision."""

    plane: Simulator
    url: str
    started: list[Process] = field(default_factory=list)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=20))

    @cached_property
    def _engine(self) -> Engine:
        """One for all queries, because it keeps compiled statements and its connection, which is slow to open."""
        engine = create_engine(self.url, pool_size=1, max_overflow=-1, pool_pre_ping=True)
        dialect_of(engine.url).prepare(engine)
        weakref.finalize(self, engine.dispose)
        return engine

    def disconnect(self) -> None:
        """Close the connection for queries, so that no file of the database stays open."""
        if "_engine" in vars(self):
            self._engine.dispose()

    @property
    def registry(self) -> Registry:
        return self.plane.registry

    def settings(self, **given: Any) -> Settings:
        usual: dict[str, Any] = {"host": self.plane.url, "api_key": TOKEN, "database_url": self.url, "max_retries": 0}
        return Settings(**usual | {"page_size": 20} | given)

    def sync(self, **given: Any) -> Summary:
        """Sync in this process. Raises EtlError."""
        return run(self.settings(**given), interrupts=Interrupts(), progress=Silent())

    def start(self, *arguments: str, command: str = "sync") -> RunningCommand:
        """Start the real command in a process of its own, to send it signals."""
        process = RunningCommand([command, *arguments], env=self._variables())
        self.started.append(process)
        return process

    def start_interpreter(self, *arguments: str, command: str = "sync") -> subprocess.Popen[str]:
        """Start the real command in a new interpreter, to see its variables, its arguments and its memory."""
        process = subprocess.Popen(
            [sys.executable, "-m", "etl", command, *arguments],
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def _variables(self) -> dict[str, str]:
        named = {"TFY_HOST": self.plane.url, "TFY_API_KEY": TOKEN, "TFY_ETL_DATABASE_URL": self.url}
        return dict(os.environ) | named | _QUICK

    def end(self) -> None:
        """Kill all processes that still run, wait for those in threads, and close the connection for queries."""
        self.disconnect()
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        self._threads.shutdown()

    def command(self, *arguments: str, exit_code: int = 0, command: str = "sync") -> str:
        """Run the real command, and return its output; fails on another exit code."""
        done = self.ended(command, *arguments)
        assert done.code == exit_code, done.err
        return done.out if exit_code in {0, 3} else done.err

    def ended(self, *arguments: str, timeout: float = 60) -> Done:
        """Run the real command, and return its exit code and output. Raises TimeoutExpired."""
        return run_preloaded(arguments, env=self._variables(), timeout=timeout)

    def submit(self, *arguments: str, timeout: float = 60) -> Future[Done]:
        """Begin to run `sync`, in a process of its own; see `ended`."""
        return self._threads.submit(self.ended, "sync", *arguments, timeout=timeout)

    def result(self, *arguments: str, exit_code: int = 0) -> Any:
        """Run `sync --output json`, and return its result."""
        return json.loads(self.command("--output", "json", *arguments, exit_code=exit_code))

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    def execute(self, statement: str) -> None:
        """Execute a statement directly on the database."""
        with self.connection() as connection:
            connection.execute(text(statement))

    def rows(self, of: type[Base] | Table, *where: ColumnElement[bool]) -> list[Row]:
        """Return the rows of a table or view, in the order of its key."""
        with self.connection() as connection:
            return _rows(connection, of if isinstance(of, Table) else Base.metadata.tables[of.__tablename__], *where)

    def row(self, of: type[Base] | Table, *where: ColumnElement[bool]) -> Row:
        """Return the only row."""
        (row,) = self.rows(of, *where)
        return row

    def held(self) -> dict[str, dict[str, str]]:
        """Return all live records by entity and id, rebuilt from their rows, as canonical JSON."""
        with self.connection() as connection:  # one for all, because opening it takes long on PostgreSQL
            tables = {name: _rows(connection, Base.metadata.tables[name]) for name in ROWS}
        subjects = [_as(SubjectRow, row) for row in tables["subjects"]]
        found: dict[str, dict[str, str]] = {}
        for entity, children in ENTITIES.items():
            lists: dict[str, dict[str, list[Any]]] = {child: defaultdict(list) for child in children}
            for child in children:
                for row in tables[child]:
                    of_child = _as(ROWS[child], row)
                    lists[child][of_child[0]].append(of_child)
            found[entity] = {
                row["id"]: canonical(
                    rebuild(
                        entity,
                        {entity: [_as(ROWS[entity], row)], "subjects": subjects}
                        | {child: lists[child][row["id"]] for child in children},
                    )
                )
                for row in tables[entity]
                if row["deleted_at"] is None
            }
        return found

    def versions_of(self, model: str) -> list[Row]:
        """Return the served versions of a model, oldest first."""
        return [each for each in self.registry.records("model-versions") if each["model_id"] == model]

    def served(self) -> dict[str, dict[str, str]]:
        """Return the same for the control plane; models have only the id of their latest version."""
        return {
            entity: {
                str(record["id"]): canonical(with_latest_by_id(record))
                for record in self.registry.records(entity.replace("_", "-"))
            }
            for entity in ENTITIES
        }

    def dump(self) -> Tables:
        """Return all rows of all tables with their physical ids, which change when a row is written again."""
        identity = "ctid, xmin" if self.url.startswith("postgresql") else "rowid"
        with self.connection() as connection:
            return {
                name: [
                    tuple(map(str, row))
                    for row in connection.execute(text(f"SELECT {identity}, t.* FROM {name} t ORDER BY 1"))  # noqa: S608 names of our tables
                ]
                for name in sorted(Base.metadata.tables)
            }

    def registry_dump(self) -> Tables:
        """Return the same for tables that a run without changes does not write."""
        return {name: rows for name, rows in self.dump().items() if name not in BOOKKEEPING}


@contextmanager
def sync_env(url: str, registry: Registry | None = None, **behaviour: Any) -> Iterator[SyncEnv]:
    """Yield an environment with a small registry or the given one; `behaviour` is for the Simulator."""
    if registry is None:
        registry = Registry.generate(seed=7, ml_repos=3, models=12, versions=3, metrics=2)
    with Simulator(registry, token=TOKEN, **behaviour) as plane:
        env = SyncEnv(plane, url)
        try:
            yield env
        finally:
            env.end()


def four_models_env(url: str, **behaviour: Any) -> AbstractContextManager[SyncEnv]:
    """Yield an environment with two ML repos of two models each, which have three versions each."""
    registry = Registry.generate(seed=1, ml_repos=2, models=4, versions=3, metrics=1, empty_share=0)
    return sync_env(url, registry, **behaviour)


def _rows(connection: Connection, table: Table, *where: ColumnElement[bool]) -> list[Row]:
    found = connection.execute(select(*table.columns).where(*where).order_by(*table.primary_key))
    return [dict(row) for row in found.mappings()]


def _as(kind: type[Any], row: Row) -> Any:
    return kind(**{name: row[name] for name in kind._fields})


def with_latest_by_id(record: Row) -> Row:
    """Return a model with only the id of its latest version; other records as they are."""
    latest = record.get("latest_version")
    return record | {"latest_version": {"id": latest["id"]}} if latest else record
