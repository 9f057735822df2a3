"""A change of a record, with the names that its sentence needs."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

RECORD_KINDS = ("created", "deleted", "restored")
"""Kinds of changes that concern a whole record, and not one of its fields."""


class NamedChange(NamedTuple):
    """A row of `changes`, or one that a run is about to write, with the current names.

    `run_id` and `observed_at` are None until the run has written. `versions` counts the versions that were created,
    deleted or restored together with the model. `shares_name`: a model of another ML repo has the same name.
    `tags` are those that a version had when it was created.
    `old_name` and `new_name` are the names of the records whose ids are in `old` and `new`.
    """

    run_id: str | None
    observed_at: datetime | None
    entity: str
    id: str
    kind: str
    field: str | None = None
    old: str | None = None
    new: str | None = None
    model: str | None = None
    version: int | None = None
    ml_repo: str | None = None
    fqn: str | None = None
    shares_name: bool = False
    versions: int = 0
    old_name: str | None = None
    new_name: str | None = None
    model_id: str | None = None
    tags: tuple[str, ...] = ()


class PlannedChanges(NamedTuple):
    """The first changes that a run would write, in the order of names, and the number of changed records."""

    changes: Sequence[NamedChange]
    records: int
