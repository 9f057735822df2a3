from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import etl
from etl.enums import Entity
from etl.errors import ConfigError, DeleteLimitExceeded, SourceError, StoreError
from etl.models import Change, Model, ModelVersion, SyncRun, SyncRunCount, SyncScope
from etl.simulator import Registry, fault
from etl.store import Tally
from tests.support.sync_env import OF_EACH_RUN, Row, SyncEnv, sync_env


def test_the_first_load_stores_everything(env: SyncEnv) -> None:
    summary = env.sync()

    assert (summary.status, summary.complete, summary.proof, summary.mode) == ("succeeded", True, "anchored", "full")
    assert summary.tallies == {
        "ml_repos": Tally(seen=3, inserted=3),
        "models": Tally(seen=12, inserted=12),
        "model_versions": Tally(seen=36, inserted=36),
    }
    assert env.held() == env.served()


def test_the_first_load_writes_no_changes(env: SyncEnv) -> None:
    env.sync()

    assert env.rows(Change) == []


def test_second_run_writes_nothing_but_its_own_rows(env: SyncEnv) -> None:
    env.sync()
    before = env.dump()
    summary = env.sync()
    after = env.dump()

    assert summary.mode == "incremental"
    assert summary.tallies[Entity.MODELS] == Tally(seen=12, unchanged=12)
    assert {name for name in before if before[name] != after[name]} == OF_EACH_RUN


def test_second_full_run_writes_nothing_but_its_own_rows(env: SyncEnv) -> None:
    env.sync()
    before = env.registry_dump()
    summary = env.sync(full=True)

    assert (summary.mode, summary.plan.because) == ("full", "--full was given")
    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, unchanged=36)
    assert env.registry_dump() == before


def test_run_is_full_when_the_last_full_run_is_too_old(env: SyncEnv) -> None:
    env.sync()
    summary = env.sync(full_every=timedelta(0))

    assert summary.mode == "full"
    assert summary.plan.because == "the last full comparison is older than 0 seconds"
    assert summary.tallies[Entity.MODEL_VERSIONS].seen == 36


def test_changed_version_is_found_and_no_other_is_written(env: SyncEnv) -> None:
    env.sync()
    before = {row["id"]: row for row in env.rows(ModelVersion)}
    changed = env.registry.records("models")[4]["latest_version"]["id"]
    env.registry.set_description(changed, "Retrained.")
    summary = env.sync()

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=3, updated=1, unchanged=2)
    assert summary.plan.way == "by model"
    assert [row["id"] for row in env.rows(ModelVersion) if row != before[row["id"]]] == [changed]
    assert env.held() == env.served()


def test_new_version_is_found_when_its_model_keeps_updated_at(env: SyncEnv) -> None:
    env.sync()
    added = env.registry.add_version(env.registry.ids("models")[0], touch=False)
    summary = env.sync()

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=4, inserted=1, unchanged=3)
    assert added in env.held()["model_versions"]
    assert env.held() == env.served()


def test_tag_of_the_latest_version_is_found_without_a_new_updated_at(env: SyncEnv) -> None:
    env.sync()
    latest = env.registry.records("models")[1]["latest_version"]["id"]
    env.registry.set_tags(latest, ["moved", "Moved"], touch=False)
    env.sync()

    assert env.held() == env.served()


def test_tag_of_an_older_version_is_found_by_a_full_run_without_a_new_updated_at(env: SyncEnv) -> None:
    env.sync()
    env.registry.set_tags(env.registry.ids("model-versions")[0], ["moved"], touch=False)
    incremental = env.sync()
    full = env.sync(full=True)

    assert incremental.tallies[Entity.MODEL_VERSIONS] == Tally()
    assert full.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, updated=1, unchanged=35)
    assert env.held() == env.served()


def test_new_null_field_is_read_once_and_never_written(env: SyncEnv) -> None:
    env.sync()
    before = {table: env.rows(table) for table in (Model, ModelVersion, Change)}
    latest = env.registry.records("models")[1]["latest_version"]["id"]
    env.registry.set_fields(latest, {"not_told": None}, touch=False)
    first, second = env.sync(), env.sync()

    assert (first.plan.way, first.tallies[Entity.MODEL_VERSIONS].updated) == ("by model", 0)
    assert {table: env.rows(table) for table in before} == before
    assert second.plan.way == "none"


def test_full_run_with_name_filter_compares_every_version(env: SyncEnv) -> None:
    env.sync()
    version = env.registry.records("model-versions")[0]
    env.registry.set_tags(version["id"], ["moved"], touch=False)
    summary = env.sync(full=True, name=version["manifest"]["name"])

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=3, updated=1, unchanged=2)
    assert env.held() == env.served()


def test_dry_run_returns_counts_of_next_run_and_writes_nothing(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[3])
    env.registry.add_version(env.registry.ids("models")[0])
    env.registry.add_version(env.registry.add_model("2"))
    before = env.dump()
    planned = env.sync(dry_run=True)
    after = env.dump()
    run = env.sync()

    assert planned.run_id is None
    assert planned.tallies == run.tallies
    assert planned.plan == run.plan
    assert after == before


def test_dry_run_creates_no_file(tmp_path: Path) -> None:
    with sync_env(f"sqlite:///{tmp_path / 'registry.db'}") as env:
        planned = env.sync(dry_run=True)
        files = list(tmp_path.iterdir())
        run = env.sync()

    assert files == []
    assert planned.tallies == run.tallies


def test_first_run_creates_the_tables_of_an_empty_database(database_url: str) -> None:
    with sync_env(database_url) as env:
        assert env.sync().complete
        assert env.held() == env.served()


def test_run_without_any_record_is_complete(migrated_url: str) -> None:
    with sync_env(migrated_url, Registry()) as env:
        summary = env.sync()

    assert (summary.status, summary.exit_code) == ("succeeded", 0)
    assert set(summary.tallies.values()) == {Tally()}


def test_row_of_a_run_has_its_result_and_its_source(env: SyncEnv) -> None:
    start = datetime.now(UTC)
    summary = env.sync()
    run = env.row(SyncRun)

    assert start <= run.pop("started_at") <= run.pop("finished_at") <= datetime.now(UTC)
    assert run.pop("requests") == summary.requests == len(env.plane.log)
    assert run.pop("bytes_received") == summary.bytes_received > 1000
    assert run == {
        "id": summary.run_id,
        "status": "succeeded",
        "complete": True,
        "coverage": "all",
        "mode": "full",
        "proof": "anchored",
        "scope": {},
        "host": env.plane.url,
        "api_prefix": "/api/ml/v1",
        "tool_version": etl.__version__,
        "retries": 0,
        "error": None,
    }


def test_the_counts_of_a_run_add_up(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[3])
    env.registry.set_fields(env.registry.ids("models")[0], {"name": "renamed"})
    env.registry.put_raw("models", "odd", {"name": "no id"})
    env.registry.add_version(env.registry.add_model("1"))
    summary = env.sync(no_delete=True)

    counts = {row["entity"]: row for row in env.rows(SyncRunCount, SyncRunCount.run_id == summary.run_id)}
    assert counts.keys() == {"ml_repos", "models", "model_versions"}
    for entity, row in counts.items():
        parts = ("inserted", "updated", "unchanged", "restored", "rejected")
        assert row["seen"] == sum(row[part] for part in parts)
        assert summary.tallies[entity]._asdict().items() <= row.items()
    assert (counts["models"]["inserted"], counts["models"]["updated"], counts["models"]["rejected"]) == (1, 1, 1)


def test_next_run_deletes_version_kept_by_no_delete(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_version(env.registry.ids("model-versions")[0])
    kept = [env.sync(no_delete=True).tallies[Entity.MODEL_VERSIONS].deleted for _ in range(2)]
    then = [env.sync().tallies[Entity.MODEL_VERSIONS].deleted for _ in range(2)]

    assert (kept, then) == ([0, 0], [1, 0])
    assert env.held() == env.served()


def test_the_watermark_is_the_newest_change_of_a_complete_run(env: SyncEnv) -> None:
    env.sync()
    scope = env.row(SyncScope)
    newest = max(row["updated_at"] for table in (Model, ModelVersion) for row in env.rows(table))
    run = env.row(SyncRun)

    assert scope == {
        "scope": "all",
        "ml_repo_id": None,
        "watermark": newest,
        "last_complete_run_id": run["id"],
        "last_complete_at": run["started_at"],
        "last_full_at": run["started_at"],
        "coverage": "all",
        "lists_ml_repos": True,
    }


def test_the_watermark_never_passes_the_start_of_the_run(env: SyncEnv) -> None:
    env.registry.set_fields(env.registry.ids("models")[0], {"updated_at": "2999-01-01T00:00:00Z"}, touch=False)
    env.sync()

    assert env.row(SyncScope)["watermark"] == env.row(SyncRun)["started_at"]


def test_an_incremental_run_keeps_the_watermark_and_the_time_of_the_last_full_one(env: SyncEnv) -> None:
    env.sync()
    before = env.row(SyncScope)
    env.sync()
    after = env.row(SyncScope)

    assert (after["watermark"], after["last_full_at"]) == (before["watermark"], before["last_full_at"])
    assert after["last_complete_at"] > before["last_complete_at"]


def test_run_that_fails_at_the_control_plane_is_recorded_and_changes_no_table(env: SyncEnv) -> None:
    env.sync()
    before = env.registry_dump()
    env.registry.set_description(env.registry.ids("model-versions")[-1], "Never to be seen.")
    env.plane.faults = [fault("flaky_500,endpoint=model-versions")]
    with pytest.raises(SourceError):
        env.sync()

    (run,) = env.rows(SyncRun, SyncRun.status == "failed")
    assert "500" in run["error"]
    assert (run["complete"], run["proof"]) == (False, None)
    assert run["finished_at"] >= run["started_at"]
    assert run["requests"] > 0
    assert env.registry_dump() == before
    assert len(env.rows(SyncScope)) == 1


def test_run_that_fails_in_the_database_is_recorded_and_changes_no_table(env: SyncEnv) -> None:
    env.execute("CREATE UNIQUE INDEX only_one_model ON models (type)")
    with pytest.raises(StoreError):
        env.sync()

    run = env.row(SyncRun)
    assert run["status"] == "failed"
    assert "failed" in run["error"]
    assert not any(env.registry_dump().values())


def test_run_over_delete_limit_is_recorded_as_refused(env: SyncEnv) -> None:
    env.sync()
    for model in env.registry.ids("models")[:6]:
        env.registry.delete_model(model)
    before = env.registry_dump()
    with pytest.raises(DeleteLimitExceeded, match="6 of 12 models are missing") as refusal:
        env.sync()

    (run,) = env.rows(SyncRun, SyncRun.status == "refused")
    assert run["error"] == str(refusal.value)
    assert env.registry_dump() == before


def test_next_run_marks_dead_run_interrupted(env: SyncEnv) -> None:
    env.sync()
    env.execute("UPDATE sync_runs SET status = 'running', finished_at = NULL")
    env.sync()

    dead, alive = sorted(env.rows(SyncRun), key=lambda run: run["started_at"])
    assert (dead["status"], dead["error"]) == ("interrupted", "The process died.")
    assert dead["finished_at"] == alive["started_at"]
    assert alive["status"] == "succeeded"


def test_run_of_ml_repo_marks_only_its_own_dead_runs(env: SyncEnv) -> None:
    env.sync(ml_repo=("1",))
    env.sync(ml_repo=("2",))
    env.execute("UPDATE sync_runs SET status = 'running'")
    env.sync(ml_repo=("2",))

    assert [(run["scope"]["ml_repos"], run["status"]) for run in _by_start(env)] == [
        (["1"], "running"),
        (["2"], "interrupted"),
        (["2"], "succeeded"),
    ]


def test_another_control_plane_is_refused_unless_accept_host_is_given(env: SyncEnv) -> None:
    env.sync()
    stored, dump = env.held(), env.dump()
    with sync_env(env.url) as other:
        with pytest.raises(ConfigError, match=f"was filled from {env.plane.url}, and not from {other.plane.url}"):
            other.sync()
        assert env.dump() == dump
    with sync_env(env.url, env.registry) as moved:
        assert moved.sync(accept_host=True).complete
        assert moved.held() == stored
        assert moved.sync().complete


def _by_start(env: SyncEnv) -> list[Row]:
    return sorted(env.rows(SyncRun), key=lambda run: run["started_at"])


def test_run_marked_interrupted_writes_nothing(env: SyncEnv) -> None:
    def mark_interrupted(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        if path.endswith("/model-versions"):
            env.execute("UPDATE sync_runs SET status = 'interrupted'")

    env.plane.before_request = mark_interrupted
    with pytest.raises(StoreError, match="marked this run as interrupted"):
        env.sync()
    assert env.rows(Model) == []
