"""The tags that versions had when they were created.

A created version has one change, without its tags. `prune` deletes the oldest changes first, so all later changes of
the version are recorded.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, Table, select

from etl.changes import NamedChange
from etl.store.staging_tables import STAGES, TABLES

Tags = defaultdict[str, set[str]]
"""Tags by the id of their version."""

_TAGS, _CHANGES = TABLES["model_version_tags"], TABLES["changes"]


def with_first_tags(connection: Connection, changes: Iterable[NamedChange]) -> list[NamedChange]:
    """Add the tags to the recorded changes that created versions."""
    return _with_tags(changes, lambda ids: _first_tags(connection, ids))


def with_staged_tags(connection: Connection, changes: Iterable[NamedChange]) -> list[NamedChange]:
    """Add the tags to the planned changes that create versions."""
    return _with_tags(changes, lambda ids: _tags(connection, STAGES[_TAGS.name], ids))


def _with_tags(changes: Iterable[NamedChange], find_tags: Callable[[Sequence[str]], Tags]) -> list[NamedChange]:
    changes = list(changes)
    created = [each.id for each in changes if _creates_version(each)]
    tags = find_tags(created) if created else Tags(set)
    return [each._replace(tags=tuple(sorted(tags[each.id]))) if _creates_version(each) else each for each in changes]


def _creates_version(change: NamedChange) -> bool:
    return (change.entity, change.kind) == ("model_versions", "created")


def _first_tags(connection: Connection, ids: Sequence[str]) -> Tags:
    """Return the tags of now, without those that were added later, and with those whose first change removed them."""
    tags = _tags(connection, _TAGS, ids)
    moves = (
        select(_CHANGES.c.entity_id, _CHANGES.c.kind, _CHANGES.c.old_value, _CHANGES.c.new_value)
        .where(_CHANGES.c.entity == "model_versions", _CHANGES.c.entity_id.in_(ids))
        .where(_CHANGES.c.kind.in_(("tag_added", "tag_removed")))
        .order_by(_CHANGES.c.id.desc())
    )
    for version, kind, old, new in connection.execute(moves):  # the newest first: undo one after the other
        if kind == "tag_added":
            tags[version].discard(new)
        else:
            tags[version].add(old)
    return tags


def _tags(connection: Connection, table: Table, ids: Sequence[str]) -> Tags:
    """Return the tags of these versions in the table of tags, or in its stage."""
    tags = Tags(set)
    query = select(table.c.model_version_id, table.c.tag).where(table.c.model_version_id.in_(ids))
    for version, tag in connection.execute(query):
        tags[version].add(tag)
    return tags
