"""Keep changed rows in temporary tables until the merge, and read stored rows to compare.

Nothing here writes to permanent tables, and each transaction ends within one call.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    delete,
    exists,
    false,
    func,
    null,
    or_,
    select,
)
from sqlalchemy.schema import CreateTable

from etl.enums import Entity, Outcome
from etl.models.types import Encoder, RegistryJson, RegistryText, UtcDateTime, escaped_all
from etl.store.engine import dialect_of
from etl.store.staging_tables import (
    ALL,
    CHILDREN,
    INDEXES,
    NON_RECORD_COLUMNS,
    OBSERVED,
    STAGES,
    TABLES,
    VERSIONS_DUE,
    VERSIONS_INCOMPLETE,
    VERSIONS_READ,
    record_id,
)

Row = tuple[Any, ...]


class Known(NamedTuple):
    """The state of one record in the database and in this run's earlier pages."""

    stored_hash: str | None
    stored_updated_at: datetime | None
    deleted: bool
    is_derived: bool
    seen_hash: str | None
    seen_updated_at: datetime | None
    read_change_hash: str | None


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
        self._encoders = {table.name: _encoders(table, connection) for table in ALL}
        self._indexed = False
        with connection.begin():
            for table in ALL:
                connection.execute(CreateTable(table))

    def known(self, entity: Entity, ids: Sequence[str]) -> dict[str, Known]:
        """Return the state of each id; all its values are None or False for an unknown id."""
        table, read = TABLES[entity], TABLES["version_read_state"]
        wanted = self._wanted(ids)
        query = (
            select(
                wanted.c.value,
                table.c.content_hash,
                table.c.get("updated_at", null()),
                table.c.deleted_at.is_not(None) & table.c.id.is_not(None),
                table.c.get("is_derived", false()),
                OBSERVED.c.content_hash,
                OBSERVED.c.updated_at,
                read.c.change_hash,
            )
            .outerjoin_from(wanted, table, table.c.id == wanted.c.value)
            .outerjoin(OBSERVED, (OBSERVED.c.entity == entity) & (OBSERVED.c.id == wanted.c.value))
            .outerjoin(read, read.c.model_id == wanted.c.value)
        )
        by_encoded = dict(zip(escaped_all(ids), ids, strict=True))
        with self._connection.begin():
            return {by_encoded[row[0]]: Known(*row[1:]) for row in self._connection.execute(query).all()}

    def stored(self, entity: Entity, ids: Sequence[str]) -> dict[str, dict[str, list[Row]]]:
        """Return the stored rows of each id by table, in key order.

        Columns that the store sets itself are left out.
        """
        if not ids:  # true for most pages: skip the queries
            return {}
        found: dict[str, dict[str, list[Row]]] = defaultdict(lambda: {name: [] for name in (entity, *CHILDREN[entity])})
        wanted = self._wanted(ids)
        with self._connection.begin():
            for name in (entity, *CHILDREN[entity]):
                table = TABLES[name]
                columns = [column for column in table.columns if column.name not in NON_RECORD_COLUMNS]
                of_wanted = record_id(table) == wanted.c.value
                query: Select[Any] = select(*columns).join_from(wanted, table, of_wanted)
                for row in self._connection.execute(query.order_by(*table.primary_key)):
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

    def mark_all_due(self) -> None:
        """Mark every model that the run has read as due."""
        self._mark_seen_models(VERSIONS_DUE)

    def mark_all_read(self) -> None:
        """Mark the versions of every model as read: a sweep has read all versions."""
        self._mark_seen_models(VERSIONS_READ)

    def mark_incomplete(self, model_ids: Sequence[str]) -> None:
        """Mark models as incomplete: not all of their versions could be read or stored.

        The next run reads their versions again.
        """
        if not model_ids:
            return
        self._mark(VERSIONS_INCOMPLETE, model_ids)
        with self._connection.begin():
            wanted = self._wanted(model_ids)
            self._connection.execute(delete(VERSIONS_READ).where(VERSIONS_READ.c.model_id.in_(select(wanted.c.value))))

    def mark_due_incomplete(self) -> None:
        """Mark the due models that were not read as incomplete: the next run reads their versions."""
        known = select(VERSIONS_INCOMPLETE.c.model_id).union_all(select(VERSIONS_READ.c.model_id))
        with self._connection.begin():
            left = select(VERSIONS_DUE.c.model_id).where(VERSIONS_DUE.c.model_id.not_in(known))
            self._connection.execute(VERSIONS_INCOMPLETE.insert().from_select(["model_id"], left))

    def any_lacks_latest(self) -> bool:
        """Whether any incomplete model lacks its latest version."""
        with self._connection.begin():
            if self._connection.scalar(select(VERSIONS_INCOMPLETE.c.model_id).limit(1)) is None:
                return False  # true for most runs: skip the join
            self._dialect.analyze(self._connection, (OBSERVED, VERSIONS_INCOMPLETE))
            return self._connection.scalar(_incomplete_without_latest().limit(1)) is not None

    def models_lacking_latest(self, model_ids: Sequence[str]) -> set[str]:
        """Return those of the models that are incomplete and lack their latest version."""
        wanted = self._wanted(model_ids)
        with self._connection.begin():
            query = _incomplete_without_latest().join(wanted, OBSERVED.c.id == wanted.c.value)
            return set(self._connection.scalars(query))

    def mark_incomplete_without_latest(self) -> None:
        """Mark models as incomplete if a sweep of all versions did not return their latest one."""
        with self._connection.begin():
            # Without statistics, PostgreSQL compares each model with each version.
            self._dialect.analyze(self._connection, (OBSERVED,))
            missing = _without_latest()
            self._connection.execute(
                VERSIONS_INCOMPLETE.insert().from_select(["model_id"], missing.where(_unmarked(VERSIONS_INCOMPLETE)))
            )
            self._connection.execute(delete(VERSIONS_READ).where(VERSIONS_READ.c.model_id.in_(missing)))

    def due_among(self, model_ids: Sequence[str]) -> set[str]:
        """Return those of the models that are due."""
        wanted = self._wanted(model_ids)
        query = select(VERSIONS_DUE.c.model_id).join(wanted, VERSIONS_DUE.c.model_id == wanted.c.value)
        with self._connection.begin():
            return set(self._connection.scalars(query))

    def due(self) -> Iterator[str]:
        """Yield the due models, in the order of their ids, from queries of a thousand each."""
        model_id = VERSIONS_DUE.c.model_id
        return self._chunks(lambda last: select(model_id).where(model_id > last).order_by(model_id))

    def without_latest(self) -> Iterator[str]:
        """Yield models, in order, whose latest version no list of versions has returned."""
        return self._chunks(lambda last: _without_latest().where(OBSERVED.c.id > last).order_by(OBSERVED.c.id))

    def seen_ids(self, entity: Entity) -> Iterator[str]:
        """Yield the ids of the records that the run has read, except rejected ones, in order."""
        return self._chunks(
            lambda last: (
                select(OBSERVED.c.id)
                .where(OBSERVED.c.entity == entity, OBSERVED.c.outcome != Outcome.REJECTED, OBSERVED.c.id > last)
                .order_by(OBSERVED.c.id)
            )
        )

    def models_outside(self, ml_repos: Sequence[str]) -> Iterator[str]:
        """Yield the models that are in none of these ML repos, except rejected ones, in order."""
        inside = OBSERVED.c.ml_repo_id.in_(select(self._wanted(ml_repos).c.value))
        return self._chunks(
            lambda last: (
                select(OBSERVED.c.id)
                .where(
                    OBSERVED.c.entity == Entity.MODELS,
                    OBSERVED.c.outcome != Outcome.REJECTED,
                    or_(OBSERVED.c.ml_repo_id.is_(None), ~inside),
                    OBSERVED.c.id > last,
                )
                .order_by(OBSERVED.c.id)
            )
        )

    def analyze(self) -> None:
        """Gather statistics of the tables, so that the database plans later queries well."""
        with self._connection.begin():
            self._dialect.analyze(self._connection, ALL)

    def count_seen(self, entity: Entity) -> int:
        """Count the distinct records that the run has read."""
        return self._count(select(func.count()).select_from(OBSERVED).where(OBSERVED.c.entity == entity))

    def count_due(self) -> int:
        """Count the models that are due."""
        return self._count(select(func.count()).select_from(VERSIONS_DUE))

    def forget(self, entity: Entity, ids: Sequence[str]) -> None:
        """Remove the staged rows of records that changed while the run read them."""
        with self._connection.begin():
            self._index()
            wanted = select(self._wanted(ids).c.value)
            about = OBSERVED.c.id.in_(wanted) | OBSERVED.c.twin_of.in_(wanted)
            self._connection.execute(delete(OBSERVED).where(OBSERVED.c.entity == entity, about))
            changes, rejected = STAGES["changes"], STAGES["rejected_records"]
            self._connection.execute(delete(changes).where(changes.c.entity == entity, changes.c.entity_id.in_(wanted)))
            self._connection.execute(
                delete(rejected).where(rejected.c.entity == entity, rejected.c.record_id.in_(wanted))
            )
            for name in (entity, *CHILDREN[entity]):
                stage = STAGES[name]
                self._connection.execute(delete(stage).where(record_id(stage).in_(wanted)))

    def _index(self) -> None:
        """Create the indexes on first use: most runs read no record twice, and are faster without."""
        if not self._indexed:
            for index in INDEXES:
                index.create(self._connection)
            self._indexed = True

    def _mark_seen_models(self, table: Table) -> None:
        models = (OBSERVED.c.entity == Entity.MODELS) & (OBSERVED.c.outcome != Outcome.REJECTED)
        unmarked = select(OBSERVED.c.id).where(models, _unmarked(table))
        with self._connection.begin():
            self._connection.execute(table.insert().from_select(["model_id"], unmarked))

    def _count(self, query: Select[Any]) -> int:
        with self._connection.begin():
            return self._connection.scalar(query) or 0

    def _mark(self, table: Table, model_ids: Sequence[str]) -> None:
        if model_ids:
            insert = self._dialect.insert(table).on_conflict_do_nothing()
            with self._connection.begin():
                self._connection.execute(insert, [{"model_id": each} for each in model_ids])

    def _chunks(self, query_after: Callable[[str], Select[Any]], size: int = 1000) -> Iterator[str]:
        last = ""
        while True:
            with self._connection.begin():
                chunk = self._connection.scalars(query_after(last).limit(size)).all()
            yield from chunk
            if len(chunk) < size:
                return
            last = chunk[-1]

    def _wanted(self, ids: Sequence[str]) -> FromClause:
        return self._dialect.ids(escaped_all(ids))

    def _load(self, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            self._dialect.load(self._connection, table, _encoded(rows, self._encoders[table.name]))


def _without_latest() -> Select[Any]:
    version = OBSERVED.alias()
    arrived = exists().where(
        (version.c.entity == Entity.MODEL_VERSIONS) & (version.c.id == OBSERVED.c.latest_version_id)
    )
    return select(OBSERVED.c.id).where(
        OBSERVED.c.entity == Entity.MODELS, OBSERVED.c.latest_version_id.is_not(None), ~arrived
    )


def _incomplete_without_latest() -> Select[Any]:
    return _without_latest().join(VERSIONS_INCOMPLETE, VERSIONS_INCOMPLETE.c.model_id == OBSERVED.c.id)


def _unmarked(table: Table) -> ColumnElement[bool]:
    return ~exists().where(table.c.model_id == OBSERVED.c.id)


def _encoders(table: Table, connection: Connection) -> list[tuple[int, Encoder]]:
    """Return the encoders of a table's columns by position, without columns that need none."""
    encoders = []
    for position, column in enumerate(table.columns):
        of_stage = TABLES.get(table.name.removeprefix("stage_"))
        origin = column if of_stage is None else of_stage.columns.get(column.name, column)
        if isinstance(origin.type, RegistryText | RegistryJson | UtcDateTime):
            encode = origin.type.encoder(connection.dialect)
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
