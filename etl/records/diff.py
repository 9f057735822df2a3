"""Compare two states of a record's rows, field by field, for the table `changes`."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, TypeVar

from etl.enums import Entity
from etl.records.canonical import canonical
from etl.records.rows import (
    Json,
    MetricRow,
    MlRepoRow,
    ModelRow,
    ModelRunStepRow,
    ModelVersionRow,
    PackageRow,
    Record,
    Rows,
)
from etl.records.times import iso
from etl.records.versions import SNIPPET

_ROW_TYPES: dict[Entity, type[MlRepoRow | ModelRow | ModelVersionRow]] = {
    Entity.ML_REPOS: MlRepoRow,
    Entity.MODELS: ModelRow,
    Entity.MODEL_VERSIONS: ModelVersionRow,
}
_JSON_COLUMNS = ("metadata", "manifest", "extra")
_NOT_LOGGED = (SNIPPET, "content_hash")

# Parts of the manifest that a column or another table holds. Their changes are reported there, and only there.
_LOGGED_AS = {
    ("version",): "version",
    ("version_alias",): "version_alias",
    ("description",): "description",
    ("step",): "step",
    ("run_id",): "run_id",
    ("source", "type"): "source_type",
    ("source", "uri"): "source_uri",
    ("source", "file_or_folder"): "source_uri",
    ("framework", "type"): "framework_type",
    ("framework", "library_name"): "library_name",
    ("framework", "pipeline_tag"): "pipeline_tag",
    ("framework", "base_model"): "base_model",
    ("environment", "python_version"): "python_version",
    ("environment", "pip_packages"): "packages",
}

Path = tuple[str, ...]
K = TypeVar("K")


class FieldChange(NamedTuple):
    """A row of `changes`, of kind `created`, `updated`, `tag_added` or `tag_removed`."""

    entity: Entity
    entity_id: str
    kind: str
    field: str | None
    old_value: str | None
    new_value: str | None


class _Move(NamedTuple):
    field: str
    old: str | None
    new: str | None
    kind: str = "updated"


def changes(entity: Entity, entity_id: str, old: Rows | None, new: Rows) -> list[FieldChange]:
    """List the changes from the old rows to the new, field by field.

    Without old rows there is one change, `created`. A field inside JSON is named by its path (`metadata.accuracy`), a
    metric or package by its name (`metrics.loss`). `manifest` and `extra` report only changes that no column and no
    other table has reported.
    """
    if old is None:
        return [FieldChange(entity, entity_id, "created", None, None, None)]
    before, after = (_ROW_TYPES[entity]._make(rows[entity][0])._asdict() for rows in (old, new))
    moves = [
        *_columns(before, after),
        *_tags(old, new),
        *_run_steps(old, new),
        *_metrics(old, new),
        *_packages(old, new),
    ]
    moves += _json_columns(before, after, listed={SNIPPET, *(move.field.split(".")[0] for move in moves)})
    return [FieldChange(entity, entity_id, move.kind, move.field, move.old, move.new) for move in moves]


def _columns(before: Record, after: Record) -> Iterator[_Move]:
    for name, value in before.items():
        if name not in _NOT_LOGGED and name not in _JSON_COLUMNS and value != after[name]:
            yield _Move(name, _text(value), _text(after[name]))


def _json_columns(before: Record, after: Record, listed: set[str]) -> Iterator[_Move]:
    for name in _JSON_COLUMNS:
        for path, old, new in _leaves((), before.get(name), after.get(name)):
            if not _is_logged_elsewhere(name, path, listed):
                yield _Move(".".join((name, *path)), _text(old), _text(new))


def _is_logged_elsewhere(column: str, path: Path, listed: set[str]) -> bool:
    if column == "manifest":
        return path[:1] == ("metadata",) or _LOGGED_AS.get(path) in listed
    return column == "extra" and path[0] in listed


def _leaves(path: Path, old: Json, new: Json) -> Iterator[tuple[Path, Json, Json]]:
    """Yield the leaves that differ; a list is one leaf, and so is an empty object."""
    if not (old and isinstance(old, dict)) and not (new and isinstance(new, dict)):
        if canonical(old) != canonical(new):
            yield path, old, new
        return
    before, old = (old, None) if isinstance(old, dict) else ({}, old)
    after, new = (new, None) if isinstance(new, dict) else ({}, new)
    for key in sorted(before.keys() | after.keys()):
        yield from _leaves((*path, key), before.get(key), after.get(key))
    if old is not None or new is not None:  # an object replaced a value, or a value an object
        yield path, old, new


def _tags(old: Rows, new: Rows) -> Iterator[_Move]:
    before, after = ({tag for _, _, tag in rows.get("model_version_tags", ())} for rows in (old, new))
    for tag in sorted(before - after):
        yield _Move("tags", tag, None, "tag_removed")
    for tag in sorted(after - before):
        yield _Move("tags", None, tag, "tag_added")


def _run_steps(old: Rows, new: Rows) -> Iterator[_Move]:
    before, after = (
        [step.step for step in sorted(map(ModelRunStepRow._make, rows.get("model_run_steps", ())))]
        for rows in (old, new)
    )
    if before != after:
        yield _Move("run_steps", _text(before or None), _text(after or None))


def _metrics(old: Rows, new: Rows) -> Iterator[_Move]:
    before, after = (
        [
            ((row.key, row.step, row.timestamp_ms), row.value_special or canonical(row.value))
            for row in map(MetricRow._make, rows.get("model_version_metrics", ()))
        ]
        for rows in (old, new)
    )
    for (key, _, _), was, now in _pairs(before, after):
        yield _Move(f"metrics.{key}", was, now)


def _packages(old: Rows, new: Rows) -> Iterator[_Move]:
    before, after = (
        [
            (row.name or row.requirement, row.requirement)
            for row in map(PackageRow._make, rows.get("model_version_packages", ()))
        ]
        for rows in (old, new)
    )
    for name, was, now in _pairs(before, after):
        yield _Move(f"packages.{name}", was, now)


def _pairs(old: list[tuple[K, str]], new: list[tuple[K, str]]) -> Iterator[tuple[K, str | None, str | None]]:
    """Pair removed and added texts by key, without the texts that both lists hold."""
    removed, added = Counter(old) - Counter(new), Counter(new) - Counter(old)
    waiting: defaultdict[K, deque[str]] = defaultdict(deque)
    for key, text in added.elements():
        waiting[key].append(text)
    for key, text in removed.elements():
        yield key, text, waiting[key].popleft() if waiting[key] else None
    for key, texts in waiting.items():
        for text in texts:
            yield key, None, text


def _text(value: Json) -> str | None:
    """The value as `changes` shows it."""
    if value is None or isinstance(value, str):
        return value
    return iso(value) if isinstance(value, datetime) else canonical(value)
