"""Compute the state at a given time from as_of.sql, from the history views, and by undoing `changes`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, text

from etl.enums import Entity
from etl.models import Change, ModelVersion, views
from etl.models.queries import shipped_query
from etl.models.types import unescape
from etl.records import MetricRow, ModelVersionRow, PackageRow
from etl.records.canonical import canonical
from etl.records.diff import _text
from etl.store import ExpiredHistory, open_readonly
from tests.support.sync_env import ENTITIES, ROWS, Row, SyncEnv

Pointers = dict[str, tuple[int | None, str | None, frozenset[str]]]
"""Number, alias and tags of each version at the source."""

_LISTS = {"metrics", "packages"}


@dataclass
class Version:
    """The fields of a version that `changes` records."""

    fields: dict[str, str | None]
    tags: set[str]
    metrics: Counter[tuple[str, str]]
    packages: Counter[tuple[str, str]]
    is_there: bool = field(default=True, compare=False)

    @classmethod
    def of(cls, rows: Any) -> "Version":
        """Create a version from its rows, by table."""
        record = ModelVersionRow._make(rows["model_versions"][0])
        columns = ("version", "version_alias", "description", "framework_type", "base_model", "python_version")
        metrics = map(MetricRow._make, rows.get("model_version_metrics", ()))
        packages = map(PackageRow._make, rows.get("model_version_packages", ()))
        return cls(
            {name: _text(getattr(record, name)) for name in columns},
            {tag for _, _, tag in rows.get("model_version_tags", ())},
            Counter((each.key, each.value_special or canonical(each.value)) for each in metrics),
            Counter((each.name or each.requirement, each.requirement) for each in packages),
        )

    def undo(self, change: Row) -> None:
        """Undo a change."""
        match change["kind"]:
            case "created" | "restored":
                self.is_there = False
            case "deleted":
                self.is_there = True
            case "tag_added":
                self.tags.remove(change["new_value"])
            case "tag_removed":
                assert change["old_value"] not in self.tags
                self.tags.add(change["old_value"])
            case "updated":
                self._restore_value(change["field"], change["old_value"], change["new_value"])

    def _restore_value(self, name: str, old: str | None, new: str | None) -> None:
        family, _, key = name.partition(".")
        if family in _LISTS:
            counted = getattr(self, family)
            if new is not None:
                assert counted[key, new] > 0
                counted[key, new] -= 1
            if old is not None:
                counted[key, old] += 1
            setattr(self, family, +counted)
        elif name in self.fields:
            assert self.fields[name] == new
            self.fields[name] = old


State = dict[str, Version]


def undone(env: SyncEnv, moments: Iterable[datetime]) -> dict[datetime, State]:
    """Return the versions at each time, from the current rows and `changes`."""
    versions = _stored(env)
    first_seen = {row["id"]: row["first_seen_at"] for row in env.rows(ModelVersion)}
    changes = env.rows(Change, Change.entity == "model_versions")
    states: dict[datetime, State] = {}
    for moment in sorted(moments, reverse=True):
        while changes and changes[-1]["observed_at"] > moment:
            change = changes.pop()
            versions[change["entity_id"]].undo(change)
        states[moment] = {
            each: Version(dict(it.fields), set(it.tags), it.metrics.copy(), it.packages.copy())
            for each, it in versions.items()
            if it.is_there and first_seen[each] <= moment
        }
    return states


def _stored(env: SyncEnv) -> State:
    tables = {name: env.rows(_table(name)) for name in (Entity.MODEL_VERSIONS, *ENTITIES[Entity.MODEL_VERSIONS])}
    rows: dict[str, dict[str, list[Any]]] = {row["id"]: {} for row in tables["model_versions"]}
    for name, of_table in tables.items():
        for row in of_table:
            as_row = ROWS[name](**{column: row[column] for column in ROWS[name]._fields})
            rows[as_row[0]].setdefault(name, []).append(as_row)
    found = {each: Version.of(of_version) for each, of_version in rows.items()}
    for row in tables["model_versions"]:
        found[row["id"]].is_there = row["deleted_at"] is None
    return found


def _table(name: str) -> Any:
    return ModelVersion.metadata.tables[name]


def as_of(env: SyncEnv, moment: datetime) -> Pointers:
    """Return the state at a given time by as_of.sql."""
    numbers: dict[str, tuple[int | None, str | None]] = {}
    tags: dict[str, set[str]] = {}
    for row in answers(env, "as_of", at=moment):
        alias, tag = row["version_alias"], row["tag"]
        numbers[row["model_version_id"]] = (row["version"], alias and unescape(alias))
        tags.setdefault(row["model_version_id"], set()).update([] if tag is None else [unescape(tag)])
    return {each: (*numbers[each], frozenset(tags[each])) for each in numbers}


def answers(env: SyncEnv, query: str, **parameters: Any) -> list[Row]:
    """Return the rows of a shipped query."""
    with env.connection() as connection:
        sql = shipped_query(query, connection.dialect.name)
        return [dict(row) for row in connection.execute(text(sql), parameters).mappings()]


def stretches(env: SyncEnv, version_id: str, view: Any = views.tag_history) -> list[tuple[Any, ...]]:
    """Return label, start, whether it is exact, and end of each period of a version."""
    label = view.c.get("tag", view.c.get("version_alias"))
    columns = (label, view.c.valid_from, view.c.valid_from_is_exact, view.c.valid_to)
    query = select(*columns).where(view.c.model_version_id == version_id).order_by(view.c.valid_from, label)
    with env.connection() as connection:
        return [tuple(row) for row in connection.execute(query)]


def held_at(rows: Iterable[Row], moment: datetime, name: str) -> dict[str, set[str]]:
    """Return tags or aliases by version at a given time, from the rows of a view of history."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row["valid_from"] <= moment and (row["valid_to"] is None or moment < row["valid_to"]):
            held = found.setdefault(row["model_version_id"], set())
            assert row[name] not in held
            held.add(row[name])
    return found


def prune(env: SyncEnv, before: datetime) -> None:
    """Delete the history of runs before a given time, as `tfy-etl prune` does."""
    with open_readonly(env.url) as connection:
        for _ in ExpiredHistory(connection, before).delete(1000):
            pass
