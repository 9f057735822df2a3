"""The registry at a time in the past: models, production, and all fields of a version."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text, update
from sqlalchemy.exc import DBAPIError

from etl.durations import parse_moment
from etl.errors import ConfigError
from etl.models import Change, MlRepo, Model, ModelVersion, SyncRun, views
from etl.models.queries import HISTORY_START, shipped_query
from etl.store import queries
from tests.support.databases import libpq
from tests.support.history_oracle import answers, prune
from tests.support.sync_env import SyncEnv


def sync(env: SyncEnv) -> datetime:
    """Sync, and return the start of the run."""
    env.sync(allow_mass_delete=True)
    starts: list[datetime] = [row["started_at"] for row in env.rows(SyncRun)]
    return max(starts)


def by_driver(env: SyncEnv, name: str, **parameters: Any) -> list[Any]:
    """Run a query with the database's own driver, as docs/how-to/analysts/history.md describes."""
    if env.url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(env.url).database))) as connection:
            return connection.execute(shipped_query(name, "sqlite"), parameters).fetchall()
    sql = shipped_query(name, "postgresql").replace("%", "%%")
    for each in parameters:
        sql = sql.replace(f":{each}", f"%({each})s")
    with psycopg.connect(libpq(env.url)) as connection:
        return connection.execute(sql.encode(), parameters).fetchall()


@pytest.mark.parametrize(
    "spelling",
    [
        "{0:%Y-%m-%dT%H:%M:%S}Z",
        "{0:%Y-%m-%d %H:%M:%S}",
        "{0:%Y-%m-%d %H:%M:%S.%f}+00",
        "{0:%Y%m%dT%H%M%S}z",
        "{1:%Y-%m-%dT%H:%M:%S,%f}+05:30",
        "{1:%Y-%m-%dT%H:%M:%S}+0530",
    ],
)
def test_time_may_be_spelled_in_any_iso_8601_form(env: SyncEnv, spelling: str) -> None:
    version = env.registry.ids("model-versions")[0]
    env.registry.set_tags(version, ["prod"])
    sync(env)
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    with env.connection() as connection:
        for table in (MlRepo, Model, ModelVersion):
            connection.execute(update(table).values(first_seen_at=now))
    india = now + timedelta(hours=5, minutes=30)
    second = timedelta(seconds=1)

    found = by_driver(env, "as_of", at=spelling.format(now, india))
    assert {(row[3], row[6]) for row in found} >= {(version, "prod")}
    assert by_driver(env, "as_of", at=spelling.format(now - second, india - second)) == []


SPELLINGS = [
    f"{day}{time}{zone}"
    for day in ("2026-05-01", "20260501", "2026-W18-5", "2026W185", "2026-W18", "2020-W53-7", "2021W011", "2024-12-31")
    for time in ("", "T09", "T0928", " 09:28", "T092858", "t09:28:58.5", "T09:28:58,123456")
    for zone in (("", "Z", "+05:30", "+0530", "-08", "z") if time else ("",))
]
INVALID = ["yesterday", "2026-02-30", "2026-05-01T25:00", "1777636800", "2026-W54-1", "2021-W53-1", "2026-W00-1",
            "2026-W18-8", "2026W18-5", "2026-121", "2026-05", "2026-05-01T09:28+", "T09:28"]  # fmt: skip


def test_every_spelling_is_the_same_time_in_queries_and_on_the_command_line(env: SyncEnv) -> None:
    dialect = "sqlite" if env.url.startswith("sqlite") else "postgresql"
    moment = files("etl.models.queries").joinpath(f"shared/moment_{dialect}.sql").read_text(encoding="utf-8").format()
    query = text(f"WITH {moment} SELECT CAST(at AS TEXT) FROM moment")  # noqa: S608 our own text
    with env.connection() as connection:
        if dialect == "postgresql":
            connection.execute(text("SET TIME ZONE 'UTC'"))
        found = {each: datetime.fromisoformat(connection.scalar(query, {"at": each})) for each in SPELLINGS}
    assert {each: at.replace(tzinfo=UTC) for each, at in found.items()} == {
        each: parse_moment(each) for each in SPELLINGS
    }
    for wrong in INVALID:
        with pytest.raises(ConfigError):
            parse_moment(wrong)
        with env.connection() as connection, pytest.raises(DBAPIError):
            connection.scalar(query, {"at": wrong})


def test_date_is_its_start_in_utc_and_an_invalid_time_is_an_error(env: SyncEnv) -> None:
    sync(env)
    tomorrow, today = (datetime.now(UTC) + timedelta(days=days) for days in (1, 0))

    assert by_driver(env, "as_of", at=f"{tomorrow:%Y-%m-%d}")
    assert by_driver(env, "as_of", at=f"{today:%Y%m%d}") == []
    for wrong in ("yesterday", "2026-02-30", "2026-05-01T25:00", "1777636800"):
        with pytest.raises((sqlite3.Error, psycopg.Error)):
            by_driver(env, "as_of", at=wrong)


def test_models_as_of_returns_empty_models_and_names_of_that_time(env: SyncEnv) -> None:
    first, second = env.registry.ids("models")
    name, other = (env.registry.get("models", each)["name"] for each in (first, second))
    repos = {each["id"]: each["manifest"]["name"] for each in env.registry.records("ml-repos")}
    empty = env.registry.add_model("1", "empty")
    before = sync(env)
    env.registry.set_fields(first, {"name": "renamed"})
    env.registry.set_fields("2", {"manifest": env.registry.get("ml-repos", "2")["manifest"] | {"name": "moved-to"}})
    env.registry.set_fields(empty, {"ml_repo_id": "2"})
    env.registry.delete_model(second)
    after = sync(env)
    at = {
        moment: {
            row["model_id"]: (row["model_name"], row["ml_repo_name"], row["version_count"])
            for row in answers(env, "models_as_of", at=moment)
        }
        for moment in (before, after)
    }

    assert at[before] == {
        first: (name, repos["1"], 2), second: (other, repos["2"], 2), empty: ("empty", repos["1"], 0),
    }  # fmt: skip
    assert at[after] == {first: ("renamed", repos["1"], 2), empty: ("empty", "moved-to", 0)}
    assert answers(env, "models_as_of", at=before - timedelta(seconds=1)) == []


def test_production_as_of_returns_labels_and_their_periods(env: SyncEnv) -> None:
    one, two = env.registry.ids("model-versions")[:2]
    env.registry.set_tags(one, ["prod", "other"])
    before = sync(env)
    env.registry.set_tags(one, [])
    env.registry.set_tags(two, ["live"])
    after = sync(env)
    at = {
        moment: [
            (row["version"], row["label"], row["since_at"], row["since_is_exact"], row["until_at"])
            for row in answers(env, "production_as_of", at=moment)
        ]
        for moment in (before, after)
    }

    def as_stored(moment: datetime | None) -> Any:
        if moment is None or env.url.startswith("postgresql"):
            return moment
        return f"{moment:%Y-%m-%d %H:%M:%S.%f}"

    assert at == {
        before: [(1, "prod", as_stored(before), False, as_stored(after))],
        after: [(2, "live", as_stored(after), True, None)],
    }


def test_version_as_of_returns_every_field_of_a_version_as_it_was(env: SyncEnv) -> None:
    model, version = env.registry.ids("models")[0], env.registry.ids("model-versions")[0]
    old = {
        "description": "first", "framework": {"type": "sklearn"}, "metadata": {"team": "a", "size": 0.5, "on": True},
        "environment": {"python_version": "3.10", "pip_packages": ["numpy==1", "numpy==1", "torch"]},
        "source": {"type": "truefoundry", "uri": "s3://x"}, "extra": {"deep": {"a.b": [1, 2], "none": {}}},
    }  # fmt: skip
    usual = env.registry.get("model-versions", version)["manifest"]
    usual = {key: usual[key] for key in ("type", "name", "ml_repo", "version")}
    metrics = [{"key": "auc", "value": 0.1}, {"key": "auc", "value": 0.30000000000000004, "step": 1},
               {"key": "nan", "value": float("nan")}, {"key": "none", "value": None}]  # fmt: skip
    env.registry.set_fields(version, {"manifest": usual | old, "metrics": metrics, "tags": ["a", "b"]})
    before = sync(env)
    name = env.registry.get("models", model)["name"]
    fields_before = fields_at(env, before, name)

    assert fields_before["description"] == ["first"]
    assert fields_before["tags"] == ["a", "b"]
    assert fields_before["packages.numpy"] == ["numpy==1"]
    assert [float(each) for each in fields_before["metrics.auc"]] == pytest.approx([0.1, 0.3])
    assert (fields_before["metrics.nan"], fields_before["metrics.none"]) == (["NaN"], ["null"])
    assert (fields_before["metadata.team"], fields_before["metadata.on"]) == (["a"], ["true"])
    assert fields_before["manifest.extra.deep.a.b"][0].replace(" ", "") == "[1,2]"

    new = old | {"description": None, "metadata": {"team": "b"}, "extra": 5,
                 "environment": {"python_version": "3.11", "pip_packages": ["numpy==2"]}}  # fmt: skip
    fields = {"manifest": usual | new, "metrics": [{"key": "auc", "value": 0.9}], "tags": ["b", "c"]}
    env.registry.set_fields(version, fields)
    sync(env)
    env.registry.delete_version(version)
    deleted = sync(env)

    fields_before["manifest.extra.deep.a.b"] = ["[1,2]"]  # as recorded
    assert fields_at(env, before, model) == fields_before
    assert fields_at(env, deleted, name) == {}
    assert env.rows(Change, Change.entity_id == version)
    assert env.rows(views.current_models)


def test_version_as_of_lists_metrics_as_logged_with_their_exact_values(env: SyncEnv) -> None:
    model, version = env.registry.ids("models")[0], env.registry.ids("model-versions")[0]

    def log(*values: float) -> datetime:
        metrics = [{"key": "auc", "value": value, "step": step} for step, value in enumerate(values, 1)]
        env.registry.set_fields(version, {"metrics": metrics})
        return sync(env)

    def measured(moment: datetime) -> list[tuple[str, int | None]]:
        rows = answers(env, "version_as_of", at=moment, model=model, version=1)
        return [(row["value"], row["step"]) for row in rows if row["field"] == "metrics.auc"]

    before = log(0.9, 0.30000000000000004, 1.0)
    after = log(0.9, 0.3, 1.0, 0.9)
    assert measured(after) == [("0.9", 1), ("0.3", 2), ("1", 3), ("0.9", 4)]
    assert measured(before) == [("0.9", 1), ("1", 3), ("0.30000000000000004", None)]


def test_version_as_of_distinguishes_models_with_the_same_name(env: SyncEnv) -> None:
    models = env.registry.ids("models")
    repos = {each["id"]: each["manifest"]["name"] for each in env.registry.records("ml-repos")}
    for each in models:
        env.registry.set_fields(each, {"name": "same"})
    before = sync(env)
    manifest = env.registry.get("ml-repos", "2")["manifest"]
    env.registry.set_fields("2", {"manifest": manifest | {"name": "renamed"}})
    after = sync(env)

    def found(moment: datetime, model: str) -> set[tuple[str, str]]:
        rows = answers(env, "version_as_of", at=moment, model=model, version=1)
        return {(row["model_id"], row["ml_repo_name"]) for row in rows}

    first, second = models
    assert found(before, "same") == {(first, repos["1"]), (second, repos["2"])}
    assert found(after, "same") == {(first, repos["1"]), (second, "renamed")}
    assert found(before, f"{repos['1']}/same") == {(first, repos["1"])}


def test_history_starts_at_the_first_complete_run_or_at_the_newest_pruned_change(env: SyncEnv) -> None:
    def start() -> Any:
        with env.connection() as connection:
            at = connection.scalar(text(HISTORY_START))
            at = datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at
            assert queries.diff.history_start(connection) == at
        return at

    assert start() is None
    first = sync(env)
    env.registry.set_tags(env.registry.ids("model-versions")[0], ["prod"])
    pruned = sync(env)
    assert start() == first
    env.execute("UPDATE sync_runs SET finished_at = started_at")
    prune(env, pruned + timedelta(microseconds=1))
    assert start() == pruned
    assert answers(env, "production_as_of", at=first) == []


def fields_at(env: SyncEnv, moment: datetime, model: str) -> dict[str, list[str]]:
    """Return the values of each field of version 1 of a model at a time."""
    found: dict[str, list[str]] = {}
    for row in answers(env, "version_as_of", at=moment, model=model, version=1):
        found.setdefault(row["field"], []).append(row["value"])
    return found
