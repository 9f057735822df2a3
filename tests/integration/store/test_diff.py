"""Differences between two times, and between two versions, with names."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl.changes import NamedChange, is_left_out, sentence
from etl.cli.diff import diff_command
from etl.cli.sanitize import sanitize
from etl.errors import ConfigError
from etl.models import SyncRun
from etl.store import open_readonly, queries
from etl.store.queries.changes import ChangeFilter
from tests.support.history_oracle import prune
from tests.support.sync_env import SyncEnv


def sync(env: SyncEnv) -> datetime:
    """Sync, and return the start of the run."""
    env.sync(allow_mass_delete=True)
    starts: list[datetime] = [row["started_at"] for row in env.rows(SyncRun)]
    return max(starts)


def between(env: SyncEnv, start: datetime, end: datetime, *ids: str) -> list[NamedChange]:
    with open_readonly(env.url) as connection, queries.export.snapshot(connection):
        return queries.diff.between(connection, start, end, ids or None)


def sentences(changes: list[NamedChange]) -> list[str]:
    return [sentence(each, sanitize) for each in changes if not is_left_out(each)]


def test_difference_between_two_times_is_the_net_result_of_all_changes(
    env: SyncEnv, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = env.registry.ids("models")[:3]
    versions = {each["model_id"]: each["id"] for each in env.registry.records("model-versions")}  # the last one of each
    for model, name in ((first, "a"), (second, "b"), (third, "c")):
        env.registry.set_fields(model, {"name": name})
        env.registry.set_tags(versions[model], [])
        env.registry.set_description(versions[model], "first")
    start = sync(env)
    env.registry.set_tags(versions[first], ["prod"])
    env.registry.set_description(versions[first], "draft")
    env.registry.set_fields(versions[second], {"labels": []})
    env.registry.set_fields(second, {"name": "other"})
    env.registry.delete_model(third)
    middle = sync(env)
    env.registry.set_tags(versions[first], [])
    env.registry.set_description(versions[first], "final")
    env.registry.set_fields(second, {"name": "b"})
    new = env.registry.add_model("1", "new")
    env.registry.add_version(new)
    env.registry.restore(third)
    env.registry.touch(third)
    end = sync(env)

    assert sentences(between(env, start, middle)) == [
        "a v3: description changed",
        "a v3: tag prod added",
        "b: renamed from b to other",
        "c: deleted, with 3 versions",
    ]
    assert sentences(between(env, start, end)) == ["a v3: description changed", "new: created, with 1 version"]
    assert sentences(between(env, start, middle, second)) == ["b: renamed from b to other"]
    assert ("extra.labels", None, "[]") in {(each.field, each.old, each.new) for each in between(env, start, middle)}
    with open_readonly(env.url) as connection:
        recorded = [sentence(each, sanitize) for each in queries.changes.recorded(connection, ChangeFilter())]
    assert not [line for line in recorded if "labels" in line or "updated at" in line]
    diff_command(env.settings(), None, moments=(start, middle), versions=None, limit=None, output="text")
    title, *lines = capsys.readouterr().out.splitlines()
    assert title.endswith("UTC: 4 differences.")
    assert [line.strip() for line in lines] == sentences(between(env, start, middle))
    assert between(env, end, end + timedelta(days=1)) == []


def test_records_of_the_first_run_count_as_created(env: SyncEnv) -> None:
    start = sync(env)
    found = between(env, start - timedelta(days=1), start)
    models = [each for each in found if each.entity == "models"]

    assert {each.id for each in models} == set(env.registry.ids("models"))
    assert {(each.kind, each.run_id) for each in found} == {("created", None)}
    assert sum(each.versions for each in models) == len(env.registry.ids("model-versions"))
    assert not [each for each in found if each.entity == "model_versions"]


def test_two_versions_differ_in_fields_tags_packages_and_last_metrics(
    env: SyncEnv, capsys: pytest.CaptureFixture[str]
) -> None:
    model = env.registry.ids("models")[0]
    one, two = env.registry.ids("model-versions")[:2]
    usual = env.registry.get("model-versions", one)["manifest"]
    usual = {key: usual[key] for key in ("type", "name", "ml_repo")}
    for version, number, values in ((one, 1, ("a", 0.5, "1")), (two, 2, ("b", 0.75, "2"))):
        text, value, release = values
        packages = [f"torch=={release}", "numpy"]
        manifest: dict[str, Any] = {"version": number, "description": text, "environment": {"pip_packages": packages}}
        metrics = [{"key": "auc", "value": 0.1, "step": number}, {"key": "auc", "value": value, "step": 9 + number}]
        fields = {"manifest": usual | manifest, "metrics": metrics, "tags": [text], "deployable": True}
        env.registry.set_fields(version, fields)
    env.registry.set_fields(model, {"name": "fraud-scorer"})
    sync(env)

    def compare(*versions: int, output: str = "text", name: str = "fraud-scorer") -> str:
        diff_command(
            env.settings(), name, moments=(None, None), versions=(versions[0], versions[1]), limit=None, output=output
        )
        return capsys.readouterr().out

    title, *lines = compare(1, 2).splitlines()
    assert title == f"v1 compared with v2: {len(lines)} differences."
    assert {
        "  description differs",
        "  tag a only in v1",
        "  tag b only in v2",
        "  metric auc 0.5 in v1, 0.75 in v2",
        "  package torch==1 in v1, torch==2 in v2",
    } <= set(lines)
    assert not [line for line in lines if "numpy" in line or "number" in line]
    assert {each["field"] for each in json.loads(compare(1, 2, output="json"))} >= {"metrics.auc", "packages.torch"}
    assert compare(2, 2).splitlines() == ["v2 compared with v2: 0 differences."]
    other = env.registry.add_model("1", "fraud-scorer")
    env.registry.add_version(other)
    sync(env)
    with pytest.raises(ConfigError, match="Several models have this name and a version 1: use REPO/NAME"):
        compare(1, 1)
    env.registry.delete_model(other)
    sync(env)
    assert compare(1, 2).splitlines() == [title, *lines]
    with pytest.raises(ConfigError, match="The model has no version 99"):
        compare(1, 99)
    with pytest.raises(ConfigError, match="No model is called fraud"):
        compare(1, 2, name="fraud")


def test_comparison_that_starts_before_the_known_history_has_a_note(
    env: SyncEnv, capsys: pytest.CaptureFixture[str]
) -> None:
    version = env.registry.ids("model-versions")[0]
    starts = []
    for tag in ("first", "second", "third"):
        env.registry.set_tags(version, [tag])
        starts.append(sync(env))
    first, second, third = starts
    now = datetime.now(UTC)
    env.execute("UPDATE sync_runs SET finished_at = started_at")
    prune(env, second + timedelta(microseconds=1))

    def compare(start: datetime, output: str = "text") -> tuple[str, str]:
        diff_command(env.settings(), None, moments=(start, now), versions=None, limit=None, output=output)
        out, err = capsys.readouterr()
        return out, err

    note = f"History is known from {third:%Y-%m-%d %H:%M:%S} UTC on; earlier differences may be missing."
    assert note in compare(first)[0].splitlines()[0]
    assert note in compare(second)[0].splitlines()[0]
    assert "History" not in compare(third)[0]
    as_json, warning = compare(first, "json")
    assert isinstance(json.loads(as_json), list)
    assert warning.startswith(f"Warning: {note}")
    assert compare(third, "json")[1] == ""
