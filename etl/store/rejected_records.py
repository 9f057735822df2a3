"""Records that could not be stored: keep them whole, list them, resolve them.

A rejected record is resolved once a run can store it, or finds that the source no longer has it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Insert, Select, Update, bindparam, func, insert, or_, select, update

from etl.enums import Outcome
from etl.errors import ConfigError
from etl.models import RejectedRecord, SyncRun
from etl.store.runs import RUN_ID, RUN_START
from etl.store.staging_tables import OBSERVED, STAGES, TABLES


class Reject(NamedTuple):
    """A row of `rejected_records` without its payload, which may be long."""

    id: int
    run_id: str
    entity: str
    record_id: str | None
    reason: str
    rejected_at: datetime
    resolved_at: datetime | None


class MissingRecords(NamedTuple):
    """The records that a run found missing at the source.

    `entities`: every record of these that the run did not read. `records`: single ones by entity and id.
    """

    entities: Collection[str] = ()
    records: Collection[tuple[str, str]] = ()


def list_rejected(connection: Connection, *, also_resolved: bool, limit: int | None = None) -> list[Reject]:
    """Return the open rejected records, or all of them, newest first."""
    query = _which(_rejects(), also_resolved=also_resolved).order_by(RejectedRecord.id.desc()).limit(limit)
    with connection.begin():
        return [Reject(*row) for row in connection.execute(query)]


def count(connection: Connection, *, also_resolved: bool) -> int:
    """Count the open rejected records, or all of them."""
    with connection.begin():
        return connection.scalar(_which(select(func.count(RejectedRecord.id)), also_resolved=also_resolved)) or 0


def by_numbers(connection: Connection, ids: Collection[int]) -> list[Reject]:
    """Return the rejected records with these numbers, newest first.

    ConfigError if a number is unknown.
    """
    query = _rejects().where(RejectedRecord.id.in_(ids)).order_by(RejectedRecord.id.desc())
    with connection.begin():
        found = [Reject(*row) for row in connection.execute(query)]
    if unknown := sorted(set(ids) - {each.id for each in found}):
        raise ConfigError(f"There is no rejected record {unknown[0]}: tfy-etl rejected list --all shows all.")
    return found


def payload_and_host(connection: Connection, reject_id: int) -> tuple[str, str]:
    """Return one record as it was received, as JSON text, and the host that sent it."""
    query = (
        select(RejectedRecord.payload, SyncRun.host)
        .join(SyncRun, SyncRun.id == RejectedRecord.run_id)
        .where(RejectedRecord.id == reject_id)
    )
    with connection.begin():
        payload, host = connection.execute(query).one()
    return payload, host


def resolve(connection: Connection, missing: MissingRecords, now: datetime) -> None:
    """Resolve records that the run could store, or that the source no longer has.

    A record that was rejected again with the same content stays open.
    """
    table = TABLES["rejected_records"]
    connection.execute(_update_resolved(frozenset(missing.entities)), {"run_start": now})
    if missing.records:
        this_one = (table.c.entity == bindparam("of"), table.c.record_id == bindparam("named"))
        connection.execute(
            update(table).where(table.c.resolved_at.is_(None), *this_one).values(resolved_at=now),
            [{"of": entity, "named": named} for entity, named in missing.records],
        )


@cache
def _update_resolved(missing: frozenset[str]) -> Update:
    table, stage = TABLES["rejected_records"], STAGES["rejected_records"]
    rejected_again = (stage.c.entity == table.c.entity) & (stage.c.payload == table.c.payload)
    # Joins, because with `exists` SQLite would scan the whole stage for each row.
    done = (
        select(table.c.id)
        .outerjoin(stage, rejected_again)
        .outerjoin(OBSERVED, (OBSERVED.c.entity == table.c.entity) & (OBSERVED.c.id == table.c.record_id))
        .where(
            table.c.resolved_at.is_(None),
            stage.c.entity.is_(None),
            or_(OBSERVED.c.outcome != Outcome.REJECTED, OBSERVED.c.id.is_(None) & table.c.entity.in_(missing)),
        )
    )
    return update(table).where(table.c.id.in_(done)).values(resolved_at=RUN_START)


def store_rejected(connection: Connection, run_id: str, now: datetime) -> None:
    """Store the rejected records; one that is open with the same content is not stored again."""
    connection.execute(_insert_rejected(), {"of_run": run_id, "run_start": now})


@cache
def _insert_rejected() -> Insert:
    table, stage = TABLES["rejected_records"], STAGES["rejected_records"]
    # Without MATERIALIZED, SQLite would join by the entity's index, and read the payload of all of its records.
    known = (
        select(table.c.entity, table.c.payload).where(table.c.resolved_at.is_(None)).cte().prefix_with("MATERIALIZED")
    )
    rows = (
        select(RUN_ID, RUN_START, *stage.columns)
        .distinct()
        .outerjoin_from(stage, known, (known.c.entity == stage.c.entity) & (known.c.payload == stage.c.payload))
        .where(known.c.entity.is_(None))
    )
    names = [column.name for column in stage.columns]
    return insert(table).from_select(["run_id", "rejected_at", *names], rows)


def _rejects() -> Select[Any]:
    columns: Sequence[Any] = [RejectedRecord.__table__.c[name] for name in Reject._fields]
    return select(*columns)


def _which(query: Select[Any], *, also_resolved: bool) -> Select[Any]:
    return query if also_resolved else query.where(RejectedRecord.resolved_at.is_(None))
