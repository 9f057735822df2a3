"""Keep changed rows in temporary tables until the merge, and read stored rows to compare.

Nothing here writes to permanent tables, and each transaction ends within one call.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import URL, Connection, Select, Table

from etl.enums import Entity, Outcome
from etl.models.types import Encoder, RegistryJson, RegistryText, UtcDateTime
from etl.store import staging_queries as queries
from etl.store.engine import dialect_of
from etl.store.staging_tables import (
    ALL,
    CHILDREN,
    INDEXES,
    OBSERVED,
    STAGES,
    TABLES,
    VERSIONS_DUE,
    VERSIONS_INCOMPLETE,
    VERSIONS_READ,
)

Row = tuple[Any, ...]


class Known(NamedTuple):
    """The state of one record in the database and in this run's earlier pages."""

    stored_hash: str | None
    stored_updated_at: datetime | None
    stored_at: datetime | None
    """Start of the run that stored its content."""
    deleted: bool
    is_derived: bool
    seen_hash: str | None
    seen_updated_at: datetime | None
    read_change_hash: str | None


class MissingLatest(NamedTuple):
    """The latest version of a model, which no list of versions returned."""

    version_id: str
    was_read: bool
    """Whether the versions of its model were read."""


class Observed(NamedTuple):
    """One row of the table `OBSERVED`."""

    entity: Entity
    id: str
    outcome: Outcome
    updated_at: datetime | None = None
    content_hash: str | None = None
    ml_repo_id: str | None = None
    latest_version_id: str | None = None
    change_hash: str | None = None
    twin_of: str | None = None


class Staging:
    """The temporary tables of one run, on the connection that will merge them."""

    def __init__(self, connection: Connection) -> None:
        """Create the tables."""
        self._connection = connection
        self._dialect = dialect_of(connection.engine.url)
        self._indexed = False
        create = queries.create_tables(connection.engine.url.drivername, self._dialect.temporary_schema)
        self._dialect.begin_staging(connection, create)

    def known(self, entity: Entity, ids: Sequence[str]) -> dict[str, Known]:
        """Return the state of each id; all its values are None or False for an unknown id."""
        with self._connection.begin():
            rows = self._connection.execute(queries.known(self._dialect, entity), {"ids": ids}).all()
        return {record_id: Known(*state) for record_id, *state in rows}

    def stored(self, entity: Entity, ids: Sequence[str]) -> dict[str, dict[str, list[Row]]]:
        """Return the stored rows of each id by table, in key order.

        Columns that the store sets itself are left out.
        """
        if not ids:  # true for most pages: skip the queries
            return {}
        found: dict[str, dict[str, list[Row]]] = defaultdict(lambda: {name: [] for name in (entity, *CHILDREN[entity])})
        with self._connection.begin():
            for name in (entity, *CHILDREN[entity]):
                for row in self._connection.execute(queries.stored(self._dialect, name), {"ids": ids}):
                    found[row[0]][name].append(tuple(row))
        return dict(found)

    def stage(self, rows: Mapping[str, Sequence[Row]], seen: Sequence[Observed] = ()) -> None:
        """Stage rows, by the name of their table, and the outcomes of their records."""
        with self._connection.begin():
            self._load(OBSERVED, seen)
            for name, of_table in rows.items():
                self._load(STAGES[name], of_table)

    def mark_due(self, model_ids: Sequence[str]) -> None:
        """Mark models as due: the run must read their versions. An id may be marked twice."""
        self._mark(VERSIONS_DUE, model_ids)

    def mark_read(self, model_ids: Sequence[str]) -> None:
        """Mark models whose versions were all read, with a proof of completeness."""
        self._mark(VERSIONS_READ, model_ids)

    def mark_rejected(self, model_ids: Collection[str | None]) -> None:
        """Note that a version of these models was read, but not stored: the next run reads their versions again.

        With None among them, its model is unknown: note it of every model.
        """
        if model_ids:
            known = None if None in model_ids else list(model_ids)
            with self._connection.begin():
                if known is None:
                    self._connection.execute(queries.mark_all_rejected())
                else:
                    self._connection.execute(queries.mark_rejected(self._dialect), {"ids": known})

    def mark_all_due(self) -> None:
        """Mark every model that the run has read as due."""
        self._mark_seen_models(VERSIONS_DUE)

    def mark_all_read(self) -> None:
        """Mark the versions of every model as read: a sweep has read all versions."""
        self._mark_seen_models(VERSIONS_READ)

    def mark_incomplete(self, model_ids: Sequence[str]) -> None:
        """Mark models as incomplete: not all of their versions could be read.

        The next run reads their versions again.
        """
        if not model_ids:
            return
        self._mark(VERSIONS_INCOMPLETE, model_ids)
        with self._connection.begin():
            self._connection.execute(queries.unmark_read(self._dialect), {"ids": model_ids})

    def mark_due_incomplete(self) -> None:
        """Mark the due models that were not read as incomplete: the next run reads their versions."""
        with self._connection.begin():
            self._connection.execute(queries.mark_due_incomplete())

    def any_lacks_latest(self) -> bool:
        """Whether any model lacks its latest version, although the run read its versions or had to."""
        with self._connection.begin():
            self._dialect.analyze(self._connection, (OBSERVED, VERSIONS_READ, VERSIONS_INCOMPLETE))
            return self._connection.scalar(queries.one_lacking_latest()) is not None

    def lacking_latest(self, model_ids: Sequence[str]) -> dict[str, MissingLatest]:
        """Return the latest version of each of the models that lacks it as `any_lacks_latest` describes."""
        with self._connection.begin():
            rows = self._connection.execute(queries.lacking_latest_among(self._dialect), {"ids": model_ids}).all()
        return {model_id: MissingLatest(*latest) for model_id, *latest in rows}

    def mark_incomplete_without_latest(self) -> None:
        """Mark models as incomplete if a sweep of all versions did not return their latest one."""
        with self._connection.begin():
            # Without statistics, PostgreSQL compares each model with each version.
            self._dialect.analyze(self._connection, (OBSERVED,))
            self._connection.execute(queries.mark_incomplete_without_latest())
        self.unmark_read_without_latest()

    def unmark_read_without_latest(self) -> None:
        """Unmark models whose latest version no list of versions returned: the next run reads their versions again."""
        with self._connection.begin():
            self._connection.execute(queries.unmark_read_without_latest())

    def due_among(self, model_ids: Sequence[str]) -> set[str]:
        """Return those of the models that are due."""
        with self._connection.begin():
            return set(self._connection.scalars(queries.due_among(self._dialect), {"ids": model_ids}))

    def due(self) -> Iterator[str]:
        """Yield the due models, in the order of their ids, from queries of a thousand each."""
        return self._chunks(queries.due())

    def without_latest(self) -> Iterator[str]:
        """Yield models, in order, whose latest version no list of versions has returned."""
        return self._chunks(queries.without_latest())

    def seen_ids(self, entity: Entity) -> Iterator[str]:
        """Yield the ids of the records that the run has read, except rejected ones, in order."""
        return self._chunks(queries.seen_ids(entity))

    def models_outside(self, ml_repos: Sequence[str]) -> Iterator[str]:
        """Yield the models that are in none of these ML repos, except rejected ones, in order."""
        return self._chunks(queries.models_outside(self._dialect), {"ids": ml_repos})

    def models_with_versions_outside(self, ml_repos: Sequence[str]) -> Iterator[str]:
        """Yield the models with a stored version that is unread and in none of these ML repos, in order."""
        return self._chunks(queries.models_with_versions_outside(self._dialect), {"ids": ml_repos})

    def analyze(self) -> None:
        """Gather statistics of the tables, so that the database plans later queries well."""
        with self._connection.begin():
            self._dialect.analyze(self._connection, ALL)

    def count_seen(self, entity: Entity) -> int:
        """Count the distinct records that the run has read."""
        return self._count(queries.count_seen(entity))

    def count_due(self) -> int:
        """Count the models that are due."""
        return self._count(queries.count_due())

    def forget(self, entity: Entity, ids: Sequence[str]) -> None:
        """Remove the staged rows of records that changed while the run read them."""
        with self._connection.begin():
            self._index()
            for statement in queries.forget(self._dialect, entity):
                self._connection.execute(statement, {"ids": ids})

    def _index(self) -> None:
        """Create the indexes on first use: most runs read no record twice, and are faster without."""
        if not self._indexed:
            for index in INDEXES:
                index.create(self._connection)
            self._indexed = True

    def _mark_seen_models(self, table: Table) -> None:
        with self._connection.begin():
            self._connection.execute(queries.mark_seen_models(table))

    def _count(self, query: Select[Any]) -> int:
        with self._connection.begin():
            return self._connection.scalar(query) or 0

    def _mark(self, table: Table, model_ids: Sequence[str]) -> None:
        if model_ids:
            with self._connection.begin():
                self._connection.execute(queries.mark(self._dialect, table), [{"model_id": each} for each in model_ids])

    def _chunks(self, query: Select[Any], parameters: Mapping[str, Any] = MappingProxyType({})) -> Iterator[str]:
        last: str | None = ""
        while last is not None:
            with self._connection.begin():
                chunk = self._connection.scalars(query, {**parameters, "last": last}).all()
            yield from chunk
            last = chunk[-1] if len(chunk) == queries.CHUNK else None

    def _load(self, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            encoders = _encoders(table, self._connection.engine.url.drivername)
            self._dialect.load(self._connection, table, _encoded(rows, encoders))


@cache
def _encoders(table: Table, driver: str) -> list[tuple[int, Encoder]]:
    """Return the encoders of a table's columns by position, without columns that need none."""
    dialect, encoders = URL.create(driver).get_dialect()(), []
    for position, column in enumerate(table.columns):
        of_stage = TABLES.get(table.name.removeprefix("stage_"))
        origin = column if of_stage is None else of_stage.columns.get(column.name, column)
        if isinstance(origin.type, RegistryText | RegistryJson | UtcDateTime):
            encode = origin.type.encoder(dialect)
            if encode is not None:
                encoders.append((position, encode))
    return encoders


def _encoded(rows: Sequence[Row], encoders: Sequence[tuple[int, Encoder]]) -> Iterable[Row]:
    """Encode rows for the driver, column by column, which takes the fewest calls."""
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    changed = False
    for position, encode in encoders:
        values = columns[position]
        columns[position] = encode(values)
        changed = changed or columns[position] is not values
    return zip(*columns, strict=True) if changed else rows
