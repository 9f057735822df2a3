"""The state of each scope, which complete runs write and the next run plans by.

A run over ML repos reads and writes one row for each of them, whatever the batches. A run over the whole registry also
updates the rows of all ML repos. Runs over every ML repo do not replace it: they miss ML repos that are not listed, and
models without one.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Insert, Select, func, select

from etl.enums import Coverage, Outcome
from etl.store.dialects.base import DatabaseDialect
from etl.store.engine import dialect_of
from etl.store.runs import CLOCK_SKEW, WHOLE_REGISTRY
from etl.store.staging_tables import OBSERVED, TABLES

_SCOPES = TABLES["sync_scopes"]

_MAX_KEY_LENGTH = 500
"""Longest key that fits into an index. A filter by hundreds of ML repos is longer."""

Row = Mapping[str, Any]


def scope_label(filters: Mapping[str, Any]) -> str:
    """Return `all`, or the filters as canonical JSON. JSON that is too long is cut and ends with a hash."""
    if not filters:
        return WHOLE_REGISTRY
    text = json.dumps(filters, sort_keys=True, separators=(",", ":"))
    if len(text) <= _MAX_KEY_LENGTH:
        return text
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{text[: _MAX_KEY_LENGTH - len(digest)]}{digest}"


def scope_keys(filters: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the keys of `sync_scopes` that a run with these filters has, each with its ML repo.

    Whole ML repos have one key each. Any other scope has one key and no ML repo.
    """
    if filters.keys() == {"ml_repos"}:
        return {scope_label({"ml_repos": [each]}): each for each in filters["ml_repos"]}
    return {scope_label(filters): None}


@dataclass(frozen=True)
class ScopeState:
    """What the last complete runs found out about a scope, or about each of its ML repos."""

    is_first: bool = True
    """Whether the scope, or one of its ML repos, had no complete run of its own."""
    is_known: bool = False
    """Whether the scope, one of its ML repos, or the whole registry had a complete run."""
    last_complete_at: datetime | None = None
    """Start of the oldest of the last complete runs; None if `is_first`."""
    last_full_at: datetime | None = None
    """The oldest full comparison, or one that is dated in the future; None if an ML repo had none."""
    coverages: frozenset[str] = frozenset()
    lists_ml_repos: bool = False
    """Whether ML repos were listed for any part."""


def read_state(connection: Connection, filters: Mapping[str, Any], now: datetime) -> ScopeState:
    """Return the state of the scope with these filters.

    Where the scope, or one of its ML repos, has no row, full comparisons of the whole registry count.
    """
    keys = list(scope_keys(filters))
    with connection.begin():
        rows = _rows(connection, keys)
    own = [rows[key] for key in keys if key in rows]
    is_first = len(own) < len(keys)
    return ScopeState(
        is_first=is_first,
        is_known=bool(rows),
        last_complete_at=None if is_first else _oldest([row["last_complete_at"] for row in own], now),
        last_full_at=_oldest(
            [(rows.get(key) or rows.get(WHOLE_REGISTRY, {})).get("last_full_at") for key in keys], now
        ),
        coverages=frozenset(row["coverage"] for row in own),
        lists_ml_repos=any(row["lists_ml_repos"] for row in own),
    )


class NewScopeState(NamedTuple):
    """What a complete run found out about the scope of its filters; `full`: it compared every version."""

    filters: Mapping[str, Any]
    full: bool
    coverage: Coverage
    lists_ml_repos: bool


def advance(connection: Connection, to: NewScopeState, *, run_id: str, started_at: datetime) -> None:
    """Update the rows of the scope, and of the ML repos in it, after a complete run. The caller commits."""
    own = scope_keys(to.filters)
    rows = _rows(connection, list(own))
    covered = _of_ml_repos(connection) if WHOLE_REGISTRY in own else {}
    keys = own | {key: row["ml_repo_id"] for key, row in covered.items()}
    newest: dict[str | None, datetime | None] = {None: _newest(connection)}
    if len(keys) > 1:
        newest = _newest_by_ml_repo(connection) | newest
    changed = [
        {
            "scope": key,
            "ml_repo_id": ml_repo,
            "watermark": _watermark(before, newest.get(ml_repo if len(keys) > 1 else None), started_at),
            "last_complete_run_id": run_id,
            "last_complete_at": started_at,
            "last_full_at": started_at if to.full else (before or rows.get(WHOLE_REGISTRY, {})).get("last_full_at"),
            "coverage": before["coverage"] if key in covered and not _shows_coverage_of_each(to) else to.coverage,
            "lists_ml_repos": to.lists_ml_repos,
        }
        for key, ml_repo in keys.items()
        for before in [(rows | covered).get(key, {})]
    ]
    connection.execute(_upsert_rows(dialect_of(connection.engine.url)), changed)


def _shows_coverage_of_each(to: NewScopeState) -> bool:
    """Whether a run over the whole registry shows the coverage of each ML repo.

    Its own coverage is `all` as soon as the versions of one ML repo can be read.
    """
    return to.full or to.coverage is Coverage.LATEST


def _watermark(before: Row, newest: datetime | None, started_at: datetime) -> datetime | None:
    """Return the new watermark: it never exceeds the run's start, and otherwise never decreases."""
    marks: list[datetime] = [min(mark, started_at) for mark in (newest, before.get("watermark")) if mark is not None]
    return max(marks, default=None)


def _oldest(times: Sequence[datetime | None], now: datetime) -> datetime | None:
    """Return the oldest time; None if one is missing. A time in the future counts as oldest, so that it is noticed."""
    known = [time for time in times if time is not None]
    if len(known) < len(times):
        return None
    return min(known, key=lambda time: (time <= now + CLOCK_SKEW, time))


def _rows(connection: Connection, keys: Sequence[str]) -> dict[str, Row]:
    """Return the rows with these keys, and that of the whole registry."""
    return _by_key(connection, _select_rows(dialect_of(connection.engine.url)), {"ids": [*keys, WHOLE_REGISTRY]})


def _of_ml_repos(connection: Connection) -> dict[str, Row]:
    return _by_key(connection, _select_rows_of_ml_repos())


def _by_key(
    connection: Connection, query: Select[Any], parameters: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Row]:
    return {row["scope"]: dict(row) for row in connection.execute(query, parameters).mappings()}


@cache
def _select_rows(dialect: DatabaseDialect) -> Select[Any]:
    return select(_SCOPES).where(_SCOPES.c.scope.in_(select(dialect.ids().c.value)))


@cache
def _select_rows_of_ml_repos() -> Select[Any]:
    return select(_SCOPES).where(_SCOPES.c.ml_repo_id.is_not(None))


@cache
def _upsert_rows(dialect: DatabaseDialect) -> Insert:
    upsert = dialect.insert(_SCOPES)
    values = {column.name: upsert.excluded[column.name] for column in _SCOPES.columns if not column.primary_key}
    return upsert.on_conflict_do_update(index_elements=["scope"], set_=values)


def _newest(connection: Connection) -> datetime | None:
    """Return the largest `updated_at` that the run has read."""
    newest: datetime | None = connection.scalar(_select_newest())
    return newest


@cache
def _select_newest() -> Select[Any]:
    return select(func.max(OBSERVED.c.updated_at)).where(OBSERVED.c.outcome != Outcome.REJECTED)


def _newest_by_ml_repo(connection: Connection) -> dict[str | None, datetime | None]:
    return {ml_repo: newest for newest, ml_repo in connection.execute(_select_newest_by_ml_repo())}


@cache
def _select_newest_by_ml_repo() -> Select[Any]:
    return _select_newest().add_columns(OBSERVED.c.ml_repo_id).group_by(OBSERVED.c.ml_repo_id)
