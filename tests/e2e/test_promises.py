"""The guarantees of a run, checked with the real command on each kind of database.

The numbers in the names of tests are those of the headings below.
"""

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from etl.models import Change, Model, ModelVersion, RejectedRecord, SyncRun, SyncScope
from etl.simulator import Registry, fault
from etl.store import open_engine
from tests.support.faults import at_request, interrupt_at_request, kill, paused_run, wait_for_the_lock
from tests.support.patience import patience
from tests.support.sync_env import BOOKKEEPING, OF_EACH_RUN, TOKEN, SyncEnv, sync_env


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    with sync_env(migrated_url) as env:
        yield env


# 1. All or nothing.


def test_1_a_killed_run_leaves_the_tables_unchanged(env: SyncEnv) -> None:
    env.sync()
    for model in env.registry.ids("models"):
        env.registry.add_version(model)
    before = env.registry_dump()
    # A run of this registry sends five requests; after the fifth, it compares and writes.
    for request, delay in ((1, 0), (3, 0), (5, 0), (5, 0.04), (5, 0.08), (5, 0.12)):
        process = interrupt_at_request(env, request, partial(kill, after=delay))
        process.communicate(timeout=patience())
        assert process.returncode in {-signal.SIGKILL, 0}
        wait_for_the_lock(env)
        if env.rows(SyncRun, SyncRun.status == "succeeded", SyncRun.mode == "incremental"):
            break  # the run had committed before the kill, so all of it is stored
        assert env.registry_dump() == before
    env.command()

    assert env.held() == env.served()
    assert {run["status"] for run in env.rows(SyncRun)} == {"succeeded", "interrupted"}
    assert len(env.rows(ModelVersion)) == 48


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_1_an_interrupted_run_reports_it_and_writes_no_record(env: SyncEnv, signal_number: signal.Signals) -> None:
    before = env.registry_dump()
    process = interrupt_at_request(env, 3, lambda running: running.send_signal(signal_number))
    out, err = process.communicate(timeout=patience())

    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "Error: Interrupted: no record was written."
    assert env.registry_dump() == before
    assert env.row(SyncRun)["status"] == "interrupted"


def test_1_a_reader_sees_a_run_whole_or_not_at_all(env: SyncEnv) -> None:
    env.command()
    for model in env.registry.ids("models"):
        env.registry.set_fields(model, {"name": "second"})
        env.registry.add_version(model)
    query = text(
        "SELECT (SELECT COUNT(*) FROM models WHERE name = 'second'), (SELECT COUNT(*) FROM model_versions), "
        "(SELECT COUNT(*) FROM sync_runs WHERE status = 'succeeded')"
    )
    snapshots = set()
    engine = open_engine(env.url)
    process = env.start()
    with engine.connect() as connection:
        while process.poll() is None:
            snapshots.add(tuple(connection.execute(query).one()))
            connection.rollback()
    engine.dispose()
    process.communicate()

    assert snapshots <= {(0, 36, 1), (12, 48, 2)}
    assert (0, 36, 1) in snapshots


def test_1_a_failed_run_writes_only_its_error(env: SyncEnv) -> None:
    env.plane.faults = [fault("flaky_500,endpoint=model-versions")]
    stderr = env.command(exit_code=1)

    assert stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in stderr
    assert env.row(SyncRun)["error"] in stderr
    assert env.rows(SyncScope) == []
    assert not any(rows for name, rows in env.dump().items() if name not in BOOKKEEPING)


# 2. Nothing lost, nothing invented.


def test_2_a_complete_run_stores_every_record_of_the_source(env: SyncEnv) -> None:
    result = env.result()

    assert (result["status"], result["complete"]) == ("succeeded", True)
    assert result["models"] == {"seen": 12, "inserted": 12, "updated": 0, "unchanged": 0, "deleted": 0, "restored": 0}
    assert result["model_versions"]["inserted"] == 36
    assert env.held() == env.served()


def test_2_unusual_values_are_stored_without_loss(env: SyncEnv) -> None:
    chars = "NUL \x00, lone \ud800, escape \u241b0000, astral \U0001f600"
    version = env.registry.records("model-versions")[0]
    metadata = {chars: [chars, float("nan"), float("-inf"), 10**40, 1e23, 1.7976931348623157e308, -0.5, {}, [], None]}
    env.registry.put_raw(
        "model-versions",
        version["id"],
        version
        | {"tags": [chars, "", "Prod", "prod"], "nobody_knows": metadata, "updated_at": "9999-12-31T23:59:59.999999Z"}
        | {"metrics": [{"key": chars, "value": float("inf")}, {"key": "", "value": float("nan"), "timestamp": 2**53}]}
        | {"manifest": {"metadata": metadata, "description": chars * 10_000, "source": {"type": chars}, "step": 2**40}},
    )
    env.registry.set_fields(env.registry.ids("models")[0], {"name": chars, "run_steps": [5.0, 2**62]})
    for number, changes in enumerate(({"id": f"\x00{chars}"}, {"manifest": {}}, {"manifest": None, "tags": None})):
        env.registry.put_raw("model-versions", f"odd-{number}", version | {"id": f"odd-{number}"} | changes)
    env.command()
    first = env.held()
    env.command("--full")

    assert first == env.held() == env.served()


def test_2_an_invalid_record_is_kept_whole_and_the_others_are_stored(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", {"name": "no id", "size": float("nan")})
    result = env.result(exit_code=3)

    assert (result["status"], result["rejected"]) == ("partial", 1)
    assert result["models"]["inserted"] == 12
    row = env.row(RejectedRecord)
    assert (row["run_id"], row["reason"], row["payload"]) == (
        result["run_id"],
        "it has no id",
        '{"name": "no id", "size": NaN}',
    )


def test_2_a_run_updates_exactly_the_versions_that_changed(migrated_url: str) -> None:
    with sync_env(migrated_url, Registry.generate(models=100, versions=3, metrics=1)) as env:
        env.sync(page_size=200)
        before = env.rows(ModelVersion)
        models = [model for model in env.registry.records("models") if model["latest_version"]]
        retagged, edited = (model["latest_version"]["id"] for model in (models[10], models[20]))
        aliased = before[30]["id"]
        env.registry.set_tags(retagged, ["moved"], touch=False)
        env.registry.set_description(edited, "Anew.")
        env.registry.set_alias(aliased, "v-old", touch=True)
        result = env.result()
        changed = [row["id"] for row, old in zip(env.rows(ModelVersion), before, strict=True) if row != old]

        assert result["model_versions"]["updated"] == 3
        assert sorted(changed) == sorted({retagged, edited, aliased})
        assert env.held() == env.served()


# 3. Completeness is proven, not assumed.


def test_3_a_record_that_moves_during_paging_is_not_missed(env: SyncEnv) -> None:
    env.registry.order = "recent"
    for model in env.registry.ids("models"):
        env.registry.touch(model)
    last = env.registry.ids("models")[0]
    touched = at_request(env, "/models", 3, lambda: env.registry.touch(last))
    result = env.result("--page-size", "5", "--concurrency", "1")

    assert touched
    assert result["complete"]
    assert env.held() == env.served()


def test_3_a_list_that_keeps_changing_stays_unproven_and_deletes_nothing(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[0])
    env.plane.before_request = lambda _number, path, _query: path.endswith("/models") and env.registry.add_model("1")
    result = env.result("--page-size", "5", exit_code=3)

    assert (result["status"], result["complete"], result["proof"]) == ("partial", False, None)
    assert result["models"]["deleted"] == 0
    assert "could not be proven complete" in result["warnings"][0]
    assert env.rows(Model, Model.deleted_at.is_not(None)) == []


def test_3_two_equal_sweeps_prove_a_list_without_a_total(env: SyncEnv) -> None:
    env.plane.total = False

    assert env.result()["proof"] == "confirmed"


# 4. Deletes are soft, limited and reversible.


def test_4_a_missing_model_is_soft_deleted_and_restored_when_it_reappears(env: SyncEnv) -> None:
    env.sync()
    first = env.held()
    model_id = env.registry.ids("models")[0]
    env.registry.delete_model(model_id)
    delete_result = env.result()
    deleted_at = env.row(Model, Model.id == model_id)["deleted_at"]
    env.registry.restore(model_id)
    restore_result = env.result()

    assert (delete_result["models"]["deleted"], delete_result["model_versions"]["deleted"]) == (1, 3)
    assert deleted_at is not None
    assert (restore_result["models"]["restored"], restore_result["model_versions"]["restored"]) == (1, 3)
    assert env.held() == first


def test_4_a_run_over_the_delete_limit_is_refused_and_names_the_option_to_allow_it(env: SyncEnv) -> None:
    env.sync()
    for model in env.registry.ids("models")[:3]:
        env.registry.delete_model(model)
    before = env.registry_dump()
    stderr = env.command(exit_code=5)
    refused = env.registry_dump()
    allowed = env.result("--max-delete-share", "0.25")

    assert "3 of 12 models are missing" in stderr
    assert "--allow-mass-delete" in stderr
    assert refused == before
    assert allowed["models"]["deleted"] == 3


def test_4_a_filtered_run_deletes_only_if_it_covers_a_whole_ml_repo(env: SyncEnv) -> None:
    env.sync()
    first, second = env.registry.records("models")[:2]
    env.registry.delete_model(first["id"])
    env.registry.delete_model(second["id"])
    by_name = env.result("--name", first["name"])
    by_repo = env.result("--ml-repo", first["ml_repo_id"], "--allow-mass-delete")

    assert (by_name["models"]["deleted"], by_repo["models"]["deleted"]) == (0, 1)
    assert [row["id"] for row in env.rows(Model, Model.deleted_at.is_not(None))] == [first["id"]]


# 5. A run without changes writes only its own rows.


def test_5_a_run_without_changes_writes_only_its_own_rows(env: SyncEnv) -> None:
    env.command()
    before = env.dump()
    env.command()
    env.command("--full")
    after = env.dump()

    assert {name for name in after if after[name] != before[name]} == OF_EACH_RUN
    assert env.rows(Change) == []


def test_5_an_older_record_never_overwrites_a_newer_one(env: SyncEnv) -> None:
    env.sync()
    before = env.registry_dump()
    version = env.registry.records("model-versions")[0]
    old = version | {"updated_at": "2001-01-01T00:00:00Z", "tags": ["old"]}
    env.registry.put_raw("model-versions", version["id"], old)
    result = env.result("--full")

    assert result["model_versions"]["unchanged"] == 36
    assert "older than stored" in result["warnings"][0]
    assert env.registry_dump() == before


def test_5_a_dry_run_writes_nothing_and_predicts_the_next_run(env: SyncEnv) -> None:
    env.sync()
    env.registry.add_version(env.registry.ids("models")[0])
    before = env.dump()
    planned = env.result("--dry-run")
    after = env.dump()
    done = env.result()

    assert after == before
    assert planned["run_id"] is None
    for field in ("ml_repos", "models", "model_versions", "rejected", "plan", "status"):
        assert planned[field] == done[field]


# 6. One writer at a time.


def test_6_a_second_run_fails_or_waits_while_the_first_runs(env: SyncEnv) -> None:
    with paused_run(env) as (first, resume):
        refused = env.command(exit_code=4)
        waiting = env.submit("--lock-wait", "60")
        resume()
        first.communicate(timeout=patience())
        assert (first.returncode, waiting.result().code) == (0, 0)

    assert "--lock-wait" in refused
    assert [run["status"] for run in env.rows(SyncRun)] == ["succeeded", "succeeded"]
    assert env.held() == env.served()


def test_6_a_killed_run_releases_its_lock(env: SyncEnv) -> None:
    with paused_run(env) as (first, resume):
        first.kill()
        first.communicate(timeout=patience())
        resume()

    assert env.result("--lock-wait", "30")["status"] == "succeeded"
    assert sorted(run["status"] for run in env.rows(SyncRun)) == ["interrupted", "succeeded"]


def test_6_concurrent_runs_over_different_ml_repos_all_succeed(env: SyncEnv) -> None:
    runs = [env.submit("--ml-repo", repo, "--lock-wait", "60") for repo in ("1", "2", "3")]
    for run in runs:
        assert run.result().code == 0, run.result().err

    assert env.held() == env.served()
    assert len(env.rows(SyncScope)) == 3


# 7. The token appears nowhere.


def test_7_the_token_is_in_no_output_table_or_process_list(env: SyncEnv) -> None:
    texts = []
    with paused_run(env, "--log-level", "debug", "--log-format", "json") as (process, resume):
        texts.append(Path(f"/proc/{process.pid}/cmdline").read_text())
        resume()
        texts += process.communicate(timeout=patience())
    for problem in ("flaky_500", "html_page", "forbid", "redirect", "reset"):
        env.plane.faults = [fault(f"{problem},endpoint=models")]
        failed = env.ended("sync", "--log-level", "debug")
        texts += [failed.out, failed.err]
        assert failed.code in {1, 2}

    assert len(texts) == 13
    assert TOKEN not in "".join(texts) + json.dumps(env.dump())


def test_7_a_redirect_is_refused_and_receives_no_token(env: SyncEnv) -> None:
    with sync_env(env.url) as other_env:
        env.plane.faults = [fault(f"redirect:{other_env.plane.url}/login")]
        stderr = env.command(exit_code=2)

        assert "redirects" in stderr
        assert other_env.plane.log == []
