from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import etl
from etl.errors import ConfigError, DeleteLimitExceeded, SourceError, StoreError
from etl.models import Change, Model, ModelVersion, SyncRun, SyncRunCount, SyncScope
from etl.simulator import Registry, fault
from etl.store import Tally
from tests.support.sync_env import BOOKKEEPING, Row, SyncEnv, sync_env


def test_the_first_load_stores_everything(mirror: SyncEnv) -> None:
    summary = mirror.sync()

    assert (summary.status, summary.complete, summary.proof, summary.mode) == ("succeeded", True, "anchored", "full")
    assert summary.tallies == {
        "ml_repos": Tally(seen=3, inserted=3),
        "models": Tally(seen=12, inserted=12),
        "model_versions": Tally(seen=36, inserted=36),
    }
    assert mirror.held() == mirror.served()


def test_the_first_load_writes_no_changes(mirror: SyncEnv) -> None:
    mirror.sync()

    assert mirror.rows(Change) == []


def test_a_second_run_writes_nothing_but_its_own_record(mirror: SyncEnv) -> None:
    mirror.sync()
    before = mirror.dump()
    summary = mirror.sync()
    after = mirror.dump()

    assert summary.mode == "incremental"
    assert summary.tallies["models"] == Tally(seen=12, unchanged=12)
    assert {name for name in before if before[name] != after[name]} == BOOKKEEPING


def test_a_second_full_run_writes_nothing_but_its_own_record(mirror: SyncEnv) -> None:
    mirror.sync()
    before = mirror.registry_dump()
    summary = mirror.sync(full=True)

    assert (summary.mode, summary.plan.because) == ("full", "--full was given")
    assert summary.tallies["model_versions"] == Tally(seen=36, unchanged=36)
    assert mirror.registry_dump() == before


def test_every_version_is_compared_again_when_the_last_such_run_is_too_old(mirror: SyncEnv) -> None:
    mirror.sync()
    summary = mirror.sync(full_every=timedelta(0))

    assert summary.mode == "full"
    assert summary.plan.because == "the last full comparison is older than 0:00:00"
    assert summary.tallies["model_versions"].seen == 36


def test_what_changed_is_found_and_nothing_else_is_written(mirror: SyncEnv) -> None:
    mirror.sync()
    before = {row["id"]: row for row in mirror.rows(ModelVersion)}
    changed = mirror.registry.records("models")[4]["latest_version"]["id"]
    mirror.registry.set_description(changed, "Retrained.")
    summary = mirror.sync()

    assert summary.tallies["model_versions"] == Tally(seen=3, updated=1, unchanged=2)
    assert summary.plan.way == "by model"
    assert [row["id"] for row in mirror.rows(ModelVersion) if row != before[row["id"]]] == [changed]
    assert mirror.held() == mirror.served()


def test_a_new_version_is_found_though_its_model_did_not_move(mirror: SyncEnv) -> None:
    mirror.sync()
    added = mirror.registry.add_version(mirror.registry.ids("models")[0], touch=False)
    summary = mirror.sync()

    assert summary.tallies["model_versions"] == Tally(seen=4, inserted=1, unchanged=3)
    assert added in mirror.held()["model_versions"]
    assert mirror.held() == mirror.served()


def test_a_tag_of_the_latest_version_is_found_though_no_time_moved(mirror: SyncEnv) -> None:
    mirror.sync()
    latest = mirror.registry.records("models")[1]["latest_version"]["id"]
    mirror.registry.set_tags(latest, ["moved", "Moved"], touch=False)
    mirror.sync()

    assert mirror.held() == mirror.served()


def test_a_tag_of_an_older_version_is_found_by_a_full_run_though_no_time_moved(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.set_tags(mirror.registry.ids("model-versions")[0], ["moved"], touch=False)
    incremental = mirror.sync()
    full = mirror.sync(full=True)

    assert incremental.tallies["model_versions"] == Tally()
    assert full.tallies["model_versions"] == Tally(seen=36, updated=1, unchanged=35)
    assert mirror.held() == mirror.served()


def test_the_same_spelt_otherwise_is_looked_at_once_and_written_nowhere(mirror: SyncEnv) -> None:
    mirror.sync()
    before = {table: mirror.rows(table) for table in (Model, ModelVersion, Change)}
    latest = mirror.registry.records("models")[1]["latest_version"]["id"]
    mirror.registry.set_fields(latest, {"not_told": None}, touch=False)
    looked, after = mirror.sync(), mirror.sync()

    assert (looked.plan.way, looked.tallies["model_versions"].updated) == ("by model", 0)
    assert {table: mirror.rows(table) for table in before} == before
    assert after.plan.way == "none"


def test_a_full_run_of_some_models_compares_every_version_of_theirs(mirror: SyncEnv) -> None:
    mirror.sync()
    version = mirror.registry.records("model-versions")[0]
    mirror.registry.set_tags(version["id"], ["moved"], touch=False)
    summary = mirror.sync(full=True, name=version["manifest"]["name"])

    assert summary.tallies["model_versions"] == Tally(seen=3, updated=1, unchanged=2)
    assert mirror.held() == mirror.served()


def test_a_dry_run_tells_the_counts_of_the_run_that_follows_and_writes_nothing(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.delete_model(mirror.registry.ids("models")[3])
    mirror.registry.add_version(mirror.registry.ids("models")[0])
    mirror.registry.add_version(mirror.registry.add_model("2"))
    before = mirror.dump()
    foretold = mirror.sync(dry_run=True)
    after = mirror.dump()
    run = mirror.sync()

    assert foretold.run_id is None
    assert foretold.tallies == run.tallies
    assert foretold.plan == run.plan
    assert after == before


def test_a_dry_run_makes_no_file(tmp_path: Path) -> None:
    with sync_env(f"sqlite:///{tmp_path / 'registry.db'}") as mirror:
        foretold = mirror.sync(dry_run=True)
        made = list(tmp_path.iterdir())
        run = mirror.sync()

    assert made == []
    assert foretold.tallies == run.tallies


def test_first_run_creates_the_tables_of_an_empty_database(database_url: str) -> None:
    with sync_env(database_url) as mirror:
        assert mirror.sync().complete
        assert mirror.held() == mirror.served()


def test_a_run_without_a_single_record_is_complete(migrated_url: str) -> None:
    with sync_env(migrated_url, Registry()) as mirror:
        summary = mirror.sync()

    assert (summary.status, summary.exit_code) == ("succeeded", 0)
    assert set(summary.tallies.values()) == {Tally()}


def test_the_row_of_a_run_says_what_it_did(mirror: SyncEnv) -> None:
    began = datetime.now(UTC)
    summary = mirror.sync()
    run = mirror.row(SyncRun)

    assert began <= run.pop("started_at") <= run.pop("finished_at") <= datetime.now(UTC)
    assert run.pop("requests") == summary.requests == len(mirror.plane.log)
    assert run.pop("bytes_received") == summary.bytes_received > 1000
    assert run == {
        "id": summary.run_id,
        "status": "succeeded",
        "complete": True,
        "coverage": "all",
        "mode": "full",
        "proof": "anchored",
        "scope": {},
        "host": mirror.plane.url,
        "api_prefix": "/api/ml/v1",
        "tool_version": etl.__version__,
        "retries": 0,
        "error": None,
    }


def test_the_counts_of_a_run_add_up(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.delete_model(mirror.registry.ids("models")[3])
    mirror.registry.set_fields(mirror.registry.ids("models")[0], {"name": "renamed"})
    mirror.registry.put_raw("models", "odd", {"name": "no id"})
    mirror.registry.add_version(mirror.registry.add_model("1"))
    summary = mirror.sync(no_delete=True)

    counts = {row["entity"]: row for row in mirror.rows(SyncRunCount, SyncRunCount.run_id == summary.run_id)}
    assert counts.keys() == {"ml_repos", "models", "model_versions"}
    for entity, row in counts.items():
        parts = ("inserted", "updated", "unchanged", "restored", "rejected")
        assert row["seen"] == sum(row[part] for part in parts)
        assert summary.tallies[entity]._asdict().items() <= row.items()
    assert (counts["models"]["inserted"], counts["models"]["updated"], counts["models"]["rejected"]) == (1, 1, 1)


def test_a_version_that_a_run_was_not_to_delete_is_deleted_by_the_next(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.delete_version(mirror.registry.ids("model-versions")[0])
    kept = [mirror.sync(no_delete=True).tallies["model_versions"].deleted for _ in range(2)]
    then = [mirror.sync().tallies["model_versions"].deleted for _ in range(2)]

    assert (kept, then) == ([0, 0], [1, 0])
    assert mirror.held() == mirror.served()


def test_the_watermark_is_the_newest_change_of_a_complete_run(mirror: SyncEnv) -> None:
    mirror.sync()
    scope = mirror.row(SyncScope)
    newest = max(row["updated_at"] for table in (Model, ModelVersion) for row in mirror.rows(table))
    run = mirror.row(SyncRun)

    assert scope == {
        "scope": "all",
        "watermark": newest,
        "last_complete_run_id": run["id"],
        "last_complete_at": run["started_at"],
        "last_full_at": run["started_at"],
        "coverage": "all",
        "lists_ml_repos": True,
    }


def test_the_watermark_never_passes_the_start_of_the_run(mirror: SyncEnv) -> None:
    mirror.registry.set_fields(mirror.registry.ids("models")[0], {"updated_at": "2999-01-01T00:00:00Z"}, touch=False)
    mirror.sync()

    assert mirror.row(SyncScope)["watermark"] == mirror.row(SyncRun)["started_at"]


def test_an_incremental_run_keeps_the_watermark_and_the_time_of_the_last_full_one(mirror: SyncEnv) -> None:
    mirror.sync()
    before = mirror.row(SyncScope)
    mirror.sync()
    after = mirror.row(SyncScope)

    assert (after["watermark"], after["last_full_at"]) == (before["watermark"], before["last_full_at"])
    assert after["last_complete_at"] > before["last_complete_at"]


def test_a_run_that_the_control_plane_failed_says_so_and_leaves_the_tables_alone(mirror: SyncEnv) -> None:
    mirror.sync()
    before = mirror.registry_dump()
    mirror.registry.set_description(mirror.registry.ids("model-versions")[-1], "Never to be seen.")
    mirror.plane.faults = [fault("flaky_500,endpoint=model-versions")]
    with pytest.raises(SourceError):
        mirror.sync()

    (run,) = mirror.rows(SyncRun, SyncRun.status == "failed")
    assert "500" in run["error"]
    assert (run["complete"], run["proof"]) == (False, None)
    assert run["finished_at"] >= run["started_at"]
    assert run["requests"] > 0
    assert mirror.registry_dump() == before
    assert len(mirror.rows(SyncScope)) == 1


def test_a_run_that_the_database_failed_says_so_and_leaves_the_tables_alone(mirror: SyncEnv) -> None:
    mirror.execute("CREATE UNIQUE INDEX only_one_model ON models (type)")
    with pytest.raises(StoreError):
        mirror.sync()

    run = mirror.row(SyncRun)
    assert run["status"] == "failed"
    assert "failed" in run["error"]
    assert not any(mirror.registry_dump().values())


def test_a_run_that_the_guard_refused_says_so(mirror: SyncEnv) -> None:
    mirror.sync()
    for model in mirror.registry.ids("models")[:6]:
        mirror.registry.delete_model(model)
    before = mirror.registry_dump()
    with pytest.raises(DeleteLimitExceeded, match="6 of 12 models are missing") as refusal:
        mirror.sync()

    (run,) = mirror.rows(SyncRun, SyncRun.status == "refused")
    assert run["error"] == str(refusal.value)
    assert mirror.registry_dump() == before


def test_a_dead_run_is_told_as_interrupted_by_the_next(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.execute("UPDATE sync_runs SET status = 'running', finished_at = NULL")
    mirror.sync()

    dead, alive = sorted(mirror.rows(SyncRun), key=lambda run: run["started_at"])
    assert (dead["status"], dead["error"]) == ("interrupted", "The process died.")
    assert dead["finished_at"] == alive["started_at"]
    assert alive["status"] == "succeeded"


def test_a_run_of_an_ml_repo_takes_only_runs_of_the_same_repo_for_dead(mirror: SyncEnv) -> None:
    mirror.sync(ml_repo=("1",))
    mirror.sync(ml_repo=("2",))
    mirror.execute("UPDATE sync_runs SET status = 'running'")
    mirror.sync(ml_repo=("2",))

    assert [(run["scope"]["ml_repos"], run["status"]) for run in _by_start(mirror)] == [
        (["1"], "running"),
        (["2"], "interrupted"),
        (["2"], "succeeded"),
    ]


def test_another_control_plane_is_not_mixed_in_unless_it_is_the_same_at_a_new_address(mirror: SyncEnv) -> None:
    mirror.sync()
    held, dump = mirror.held(), mirror.dump()
    with sync_env(mirror.url) as other:
        with pytest.raises(ConfigError, match=f"was filled from {mirror.plane.url}, and not from {other.plane.url}"):
            other.sync()
        assert mirror.dump() == dump
    with sync_env(mirror.url, mirror.registry) as moved:
        assert moved.sync(accept_host=True).complete
        assert moved.held() == held
        assert moved.sync().complete


def _by_start(mirror: SyncEnv) -> list[Row]:
    return sorted(mirror.rows(SyncRun), key=lambda run: run["started_at"])


def test_a_run_that_another_took_for_dead_writes_nothing(mirror: SyncEnv) -> None:
    def work(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        if path.endswith("/model-versions"):
            mirror.execute("UPDATE sync_runs SET status = 'interrupted'")

    mirror.plane.before_request = work
    with pytest.raises(StoreError, match="took this one for dead"):
        mirror.sync()
    assert mirror.rows(Model) == []
