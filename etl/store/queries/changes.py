"""The changes that runs recorded, with the current names of their records.

The caller of each function has begun a transaction.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import NamedTuple

from sqlalchemy import CTE, ColumnElement, Connection, Table, and_, func, or_, select

from etl.changes import RECORD_KINDS, NamedChange
from etl.errors import ConfigError
from etl.store.queries.change_names import STORED_TABLES, is_bookkeeping, with_model, with_names
from etl.store.queries.first_tags import with_first_tags
from etl.store.staging_tables import TABLES

_MODELS, _VERSIONS, _REPOS, _RUNS = (TABLES[name] for name in ("models", "model_versions", "ml_repos", "sync_runs"))
_FETCHED_ROWS = 1000


class ChangeFilter(NamedTuple):
    """The recorded changes to read: of one run, of these models, of one version, from `since` on, before `until`.

    `ids` are the first and last row number. `tag` selects versions that got or lost the tag or alias, and
    `new_versions` those that were created or restored.
    """

    since: datetime | None = None
    until: datetime | None = None
    run_id: str | None = None
    model_ids: Sequence[str] | None = None
    version_id: str | None = None
    ids: tuple[int, int] | None = None
    tag: str | None = None
    new_versions: bool = False


class Counts(NamedTuple):
    """The number of changes that a list for people shows, and of changes of bookkeeping fields, which it leaves out."""

    shown: int
    bookkeeping: int


def recorded(
    connection: Connection, chosen: ChangeFilter, *, limit: int | None = None, every: bool = False
) -> Iterator[NamedChange]:
    """Yield changes: the newest run's first, and by name within a run.

    `every` includes the changes of bookkeeping fields and each version of a created, deleted or restored model.
    """
    query = with_names(_changes(chosen), STORED_TABLES, every=every).limit(limit)
    result = connection.execute(query, execution_options={"yield_per": _FETCHED_ROWS})
    for rows in result.partitions():
        yield from with_first_tags(connection, (NamedChange(*row) for row in rows))


def count(connection: Connection, chosen: ChangeFilter) -> Counts:
    """Count the changes."""
    changes = _changes(chosen)
    shown = with_names(changes, STORED_TABLES, every=False).order_by(None).subquery()
    bookkeeping = select(func.count()).select_from(changes).where(is_bookkeeping(changes))
    counted = select(func.count()).select_from(shown)
    return Counts(*connection.execute(select(counted.scalar_subquery(), bookkeeping.scalar_subquery())).one())


def find_model_ids(connection: Connection, text: str) -> list[str]:
    """Return the ids of the models with this name, FQN or id, or `risk/fraud-scorer`: the ML repo's name before it.

    ConfigError, with the name that is probably meant, if there is none.
    """
    found = model_ids(connection, text)
    if not found:
        name = text.rpartition("/")[2]
        names = connection.scalars(select(_MODELS.c.name).where(_MODELS.c.name.is_not(None)).distinct())
        similar = get_close_matches(name, names, 1)
        hint = f"did you mean {similar[0]}?" if similar else "use its name or its FQN."
        raise ConfigError(f"No model is called {text}: {hint}")
    return found


def model_ids(connection: Connection, text: str) -> list[str]:
    """Return the ids of the models with this name, FQN or id, or `risk/fraud-scorer`; none if there is none."""
    ml_repo, _, name = text.rpartition("/")
    with_repo = and_(_MODELS.c.name == name, _REPOS.c.name == ml_repo)
    called = or_(_MODELS.c.name == text, _MODELS.c.fqn == text, _MODELS.c.id == text, with_repo)
    query = select(_MODELS.c.id).outerjoin(_REPOS, _REPOS.c.id == _MODELS.c.ml_repo_id).where(called)
    return list(connection.scalars(query))


def check_run(connection: Connection, run_id: str) -> str:
    """Return the id if a run has it; ConfigError if none has."""
    if connection.scalar(select(_RUNS.c.id).where(_RUNS.c.id == run_id)) is None:
        raise ConfigError(f"No run has the id {run_id}: tfy-etl status --output json lists the last runs.")
    return run_id


def has_runs(connection: Connection) -> bool:
    """Whether any run was recorded."""
    return connection.scalar(select(_RUNS.c.id).limit(1)) is not None


def pruned_until(connection: Connection) -> datetime | None:
    """Return the time of the newest change that `prune` deleted; None if it deleted none."""
    newest: datetime | None = connection.scalar(select(func.max(TABLES["pruned_history"].c.newest_change_at)))
    return newest


def _changes(chosen: ChangeFilter) -> CTE:
    table = TABLES["changes"]
    wanted: list[ColumnElement[bool]] = []
    if chosen.since is not None:
        wanted.append(table.c.observed_at >= chosen.since)
    if chosen.until is not None:
        wanted.append(table.c.observed_at < chosen.until)
    if chosen.run_id is not None:
        wanted.append(table.c.run_id == chosen.run_id)
    if chosen.model_ids is not None:
        theirs = select(_VERSIONS.c.id).where(_VERSIONS.c.model_id.in_(chosen.model_ids))
        of_model = and_(table.c.entity == "models", table.c.entity_id.in_(chosen.model_ids))
        wanted.append(of_model | and_(table.c.entity == "model_versions", table.c.entity_id.in_(theirs)))
    if chosen.version_id is not None:
        wanted.append(and_(table.c.entity == "model_versions", table.c.entity_id == chosen.version_id))
    if chosen.ids is not None:
        wanted.append(table.c.id.between(*chosen.ids))
    if chosen.tag is not None:
        wanted.append(_is_about_tag(table, chosen.tag))
    if chosen.new_versions:
        wanted.append(and_(table.c.entity == "model_versions", table.c.kind.in_(("created", "restored"))))
    return with_model(select(table).where(*wanted).subquery(), STORED_TABLES)


def _is_about_tag(table: Table, tag: str) -> ColumnElement[bool]:
    """Whether a version got or lost a tag or an alias.

    A version that was created, deleted or restored has one row, so its tags are looked up.
    """
    tags = TABLES["model_version_tags"]
    tagged = select(tags.c.model_version_id).where(tags.c.tag == tag)
    labelled = tagged.union_all(select(_VERSIONS.c.id).where(_VERSIONS.c.version_alias == tag))
    moved = and_(
        or_(table.c.kind.in_(("tag_added", "tag_removed")), table.c.field == "version_alias"),
        or_(table.c.old_value == tag, table.c.new_value == tag),
    )
    came_or_went = and_(table.c.kind.in_(RECORD_KINDS), table.c.entity_id.in_(labelled))
    return and_(table.c.entity == "model_versions", or_(moved, came_or_went))
