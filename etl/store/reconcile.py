"""What a proven run means for what is stored: which records are gone, which come back, and the counts.

It reads the database and fills temporary tables; the merge applies them, a dry run only prints them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
)

from etl.errors import DeleteLimitExceeded
from etl.store.staging_tables import CHILDREN, OBSERVED, TABLES, TO_DELETE, TO_RESTORE, VERSIONS_READ

_MOST_NAMED = 5


class EmptiedRepo(NamedTuple):
    """An ML repo all of whose models are gone at once; `listed`: the ML repo itself is still there."""

    id: str
    name: str | None
    models: int
    listed: bool


class Tally(NamedTuple):
    """What a run does to one table, in records."""

    seen: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    restored: int = 0
    rejected: int = 0


def find_missing(
    connection: Connection, ml_repos: Sequence[str], *, every_version_read: bool, spare: Collection[str] = ()
) -> None:
    """Note what the source no longer has, within the ML repos given (all when there are none).

    Only for a run that was proven complete. A version goes with its model, or when all versions of its model were
    read and it was not among them; one whose model nobody lists, when every version was read. `spare` names tables of
    which nothing may go: an unreadable record without an id may be any of theirs.
    """
    versions, model = TABLES["model_versions"], OBSERVED.alias()
    told_of = select(TO_DELETE.c.id).where(TO_DELETE.c.entity == "models").union_all(select(VERSIONS_READ.c.model_id))
    orphaned = ~exists().where((model.c.entity == "models") & (model.c.id == versions.c.model_id))
    read_in_full = or_(versions.c.model_id.in_(told_of), *([orphaned] if every_version_read else []))
    with connection.begin():
        for entity, applies in (("ml_repos", true()), ("models", true()), ("model_versions", read_in_full)):
            if entity in spare:
                continue
            table = TABLES[entity]
            # An ML repo that no list ever had is not missing in one.
            listed = ~table.c.is_derived if entity == "ml_repos" else true()
            gone = select(literal(entity), table.c.id).where(
                live_in(table, ml_repos), ~_was_seen(table), applies, listed
            )
            connection.execute(insert(TO_DELETE).from_select(["entity", "id"], gone))


def missing_ids(connection: Connection, entity: str) -> list[str]:
    """Ids of what is to go from a table."""
    with connection.begin():
        return list(
            connection.scalars(select(TO_DELETE.c.id).where(TO_DELETE.c.entity == entity).order_by(TO_DELETE.c.id))
        )


def cancel_deletes(connection: Connection, model_ids: Sequence[str] | None = None) -> None:
    """Let these models stay with their versions, or by default everything."""
    of_these: list[ColumnElement[bool]] = [true()]
    if model_ids is not None:
        versions = TABLES["model_versions"]
        theirs = select(versions.c.id).where(versions.c.model_id.in_(model_ids))
        of_these = [
            (TO_DELETE.c.entity == "models") & TO_DELETE.c.id.in_(model_ids),
            (TO_DELETE.c.entity == "model_versions") & TO_DELETE.c.id.in_(theirs),
        ]
    with connection.begin():
        connection.execute(delete(TO_DELETE).where(or_(*of_these)))


def emptied_repos(connection: Connection) -> list[EmptiedRepo]:
    """ML repos that lose every model they have, the largest first: a token that lost a permission looks like that."""
    models, repos = TABLES["models"], TABLES["ml_repos"]
    goes = exists().where((TO_DELETE.c.entity == "models") & (TO_DELETE.c.id == models.c.id))
    listed = exists().where((OBSERVED.c.entity == "ml_repos") & (OBSERVED.c.id == models.c.ml_repo_id))
    live = (
        select(models.c.ml_repo_id, repos.c.name, func.count().label("models"), listed)
        .outerjoin(repos, repos.c.id == models.c.ml_repo_id)
        .where(models.c.deleted_at.is_(None), models.c.ml_repo_id.is_not(None))
        .group_by(models.c.ml_repo_id, repos.c.name)
    )
    lost = live.having(func.count() == func.count(case((goes, 1)))).order_by(func.count().desc(), models.c.ml_repo_id)
    with connection.begin():
        if connection.scalar(select(TO_DELETE.c.id).where(TO_DELETE.c.entity == "models").limit(1)) is None:
            return []  # as in most runs: spare them the count
        return [EmptiedRepo(*row) for row in connection.execute(lost)]


def find_restored(connection: Connection) -> None:
    """Note deleted versions whose model is back, unless reading its versions told better."""
    models, versions = TABLES["models"], TABLES["model_versions"]
    back = (
        select(versions.c.id)
        .join(models, (models.c.id == versions.c.model_id) & (models.c.deleted_at == versions.c.deleted_at))
        .join(
            OBSERVED,
            (OBSERVED.c.entity == "models") & (OBSERVED.c.outcome == "restored") & (OBSERVED.c.id == models.c.id),
        )
        .where(~_was_seen(versions), ~exists().where(VERSIONS_READ.c.model_id == models.c.id))
    )
    with connection.begin():
        connection.execute(insert(TO_RESTORE).from_select(["id"], back))


def tallies(connection: Connection) -> dict[str, Tally]:
    """The counts of the run so far, by table."""
    with connection.begin():
        outcomes = _counts(connection, OBSERVED.c.entity, OBSERVED.c.outcome)
        missing_ids = _counts(connection, TO_DELETE.c.entity)
        revived = connection.scalar(select(func.count()).select_from(TO_RESTORE)) or 0
    return {
        entity: Tally(
            seen=sum(number for key, number in outcomes.items() if key[0] == entity),
            inserted=outcomes.get((entity, "inserted"), 0),
            updated=outcomes.get((entity, "updated"), 0),
            unchanged=outcomes.get((entity, "unchanged"), 0),
            deleted=missing_ids.get((entity,), 0),
            restored=outcomes.get((entity, "restored"), 0) + (revived if entity == "model_versions" else 0),
            rejected=outcomes.get((entity, "rejected"), 0),
        )
        for entity in CHILDREN
    }


def check_delete_limit(
    connection: Connection, tallies: Mapping[str, Tally], ml_repos: Sequence[str], max_share: float
) -> None:
    """DeleteLimitExceeded when more than `max_share` of what is live in a table would go at once."""
    for entity, tally in tallies.items():
        if not tally.deleted:
            continue
        table = TABLES[entity]
        live_here = select(func.count()).select_from(table).where(live_in(table, ml_repos))
        with connection.begin():
            live = connection.scalar(live_here) or tally.deleted
        # As a quotient: 0.29 * 100 is a little less than 29.
        if tally.deleted / live > max_share:
            raise DeleteLimitExceeded(
                f"{tally.deleted} of {live} {entity} are gone at the source, more than {max_share:.0%} at once: "
                f"nothing was written. {_named(emptied_repos(connection))}If that is right, run again with "
                "--allow-mass-delete; else look at the token's permissions."
            )


def _named(lost: Sequence[EmptiedRepo]) -> str:
    """The ML repos that would lose every model, the first few by name."""
    if not lost:
        return ""
    more = f" and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
    names = ", ".join(f"{each.id} ({each.name or 'without a name'})" for each in lost[:_MOST_NAMED])
    return f"Every model is gone of ML repo {names}{more}. "


def _was_seen(table: Table) -> ColumnElement[bool]:
    seen = OBSERVED.alias()  # or it would be taken for the SEEN of the query around it
    return exists().where(seen.c.entity == table.name, seen.c.id == table.c.id)


def live_in(table: Table, ml_repos: Sequence[str]) -> ColumnElement[bool]:
    """Whether a row of a registry table is live, and in the ML repos given (any when there are none)."""
    repo = table.c.id if table.name == "ml_repos" else table.c.ml_repo_id
    within: ColumnElement[bool] = repo.in_(ml_repos) if ml_repos else true()
    if ml_repos and table.name == "model_versions":  # one that does not say its repo is where its model is
        models = TABLES["models"]
        within |= table.c.model_id.in_(select(models.c.id).where(models.c.ml_repo_id.in_(ml_repos)))
    return table.c.deleted_at.is_(None) & within


def _counts(connection: Connection, *by: Column[Any]) -> dict[tuple[Any, ...], int]:
    return {tuple(row[:-1]): row[-1] for row in connection.execute(select(*by, func.count()).group_by(*by))}
