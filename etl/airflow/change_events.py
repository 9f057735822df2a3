"""The changes that meet a condition, as the payload of an event. Sensors and triggers share it.

Airflow imports this module when it parses DAGs, so functions import what reads need.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from etl.airflow.setting_values import is_given
from etl.errors import ConfigError
from etl.redaction import Redactor, escape_unprintable, passwords_of

MAX_NAMED = 20
"""The changes that an event lists; it counts all."""


class ChangeRead(NamedTuple):
    """The new position, and the payload of an event if there are changes that meet the condition."""

    position: int
    event: dict[str, Any] | None


def check_condition(tag: str | None, new_versions: bool) -> None:  # noqa: FBT001 the value of an argument
    """Raise ConfigError for a condition that combines both."""
    if is_given(tag) and new_versions:
        raise ConfigError("Pass tag or new_versions, not both: an event about a tag includes new versions with it.")


def start_position(url: str, moment: datetime | None = None) -> int:
    """The position after all changes, or before those of runs that ended at this moment or later."""
    from etl.store import queries

    with _snapshot(url) as connection:
        if moment is None:
            return queries.change_watch.position(connection)
        return queries.change_watch.position_at(connection, moment)


def read_changes(url: str, after: int, *, model: str | None, tag: str | None, new_versions: bool) -> ChangeRead:
    """Read the changes after a position. EtlError if the database cannot be read.

    An empty text or `None` in `model` or `tag` counts as not given, because templates give those for empty values.
    """
    from etl.changes import name, sentence
    from etl.store import queries

    condition = queries.change_watch.ChangeCondition(
        model=model if is_given(model) else None, tag=tag if is_given(tag) else None, new_versions=new_versions
    )
    with _snapshot(url) as connection:
        found = queries.change_watch.read(connection, condition, after, MAX_NAMED)
    if not found.total:
        return ChangeRead(found.position, None)
    redact = Redactor(*passwords_of(url))

    def clean(text: str) -> str:
        return escape_unprintable(redact(text))

    named = [
        {
            "sentence": sentence(each, clean),
            "name": name(each, clean),
            "entity": each.entity,
            "id": clean(each.id),
            "kind": each.kind,
            "run_id": each.run_id,
        }
        for each in found.changes
    ]
    event = {"after_change_id": after, "last_change_id": found.position, "count": found.total, "changes": named}
    return ChangeRead(found.position, event)


@contextmanager
def _snapshot(url: str) -> Iterator[Any]:
    from etl.store import open_readonly, queries

    with open_readonly(url) as connection, queries.export.snapshot(connection):
        yield connection
