import json
import re
from datetime import datetime, timedelta

from sqlalchemy import text

from etl.simulator import Simulator
from etl.store import open_engine
from tests.e2e.cli.conftest import Cli


def execute_sql(statement: str) -> None:
    """Execute a statement on the database in the working directory."""
    engine = open_engine("sqlite:///tfy-registry.db")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_runs_are_listed_newest_first_with_the_age_of_the_tables(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync", "--ml-repo", "no-such")
    tfy_etl("sync")
    lines = tfy_etl("status").out.splitlines()
    assert lines[0].split() == ["models", "versions"]
    assert lines[1].split() == ["started,", "UTC", "status", "mode", "read", "read", "changed", "rejected"]
    assert lines[2].split()[2:] == ["succeeded", "full", "6", "12", "20", "0"]
    assert lines[3].split()[2:] == ["failed", "full"]
    assert lines[4].endswith("with the id 'no-such': it lists 1 (risk), 2 (marketing).")
    assert lines[5].startswith("Scope all: the last complete run was ")


def test_after_an_incremental_run_the_age_of_the_last_full_comparison_is_shown(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    assert not any("full comparison" in line for line in tfy_etl("status").out.splitlines())
    tfy_etl("sync")
    line = tfy_etl("status").out.splitlines()[-1]
    assert re.match(r"The last full comparison was .+ ago\. The next one finds changes of older versions", line)


def test_runs_are_listed_with_seconds(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    started = json.loads(tfy_etl("status", "--output", "json").out)["runs"][0]["started_at"]
    assert f"{datetime.fromisoformat(started):%Y-%m-%d %H:%M:%S}" in tfy_etl("status").out


def test_the_table_fits_80_columns_with_any_runs(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    execute_sql("UPDATE sync_runs SET status = 'interrupted', mode = 'incremental'")
    lines = tfy_etl("status").out.splitlines()
    assert lines[2].split()[2:4] == ["interrupted", "incremental"]
    assert max(map(len, lines)) <= 80


def test_status_without_a_complete_run_says_so(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync", "--ml-repo", "no-such")
    assert tfy_etl("status").out.splitlines()[-1] == "There is no complete run yet."


def test_limit_bounds_the_number_of_listed_runs(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    tfy_etl("sync")
    assert len(json.loads(tfy_etl("status", "--limit", "1", "--output", "json").out)["runs"]) == 1
    assert tfy_etl("status", "--limit", str(2**31)).code == 0
    too_large = tfy_etl("status", "--limit", str(2**63))
    assert (too_large.code, too_large.out) == (2, "")
    assert f"{2**63} is not in the range 1<=x<={2**31}" in too_large.err


def test_json_output_is_one_object_with_times_in_utc(migrated_url: str, ready: Simulator, tfy_etl: Cli) -> None:
    url = ("--database-url", migrated_url)
    tfy_etl("sync", *url)
    done = tfy_etl("status", "--output", "json", *url)
    (run,), (scope,) = (json.loads(done.out)[name] for name in ("runs", "freshness"))
    assert (run["status"], run["counts"]["models"]["seen"]) == ("succeeded", 6)
    assert scope["scope"] == "all"
    assert isinstance(scope["age_seconds"], float)
    for time in (run["started_at"], run["finished_at"], scope["last_complete_at"], scope["last_full_at"]):
        assert datetime.fromisoformat(time).utcoffset() == timedelta(0)


def test_a_database_without_runs_says_so(migrated_url: str, tfy_etl: Cli) -> None:
    url = ("--database-url", migrated_url)
    assert tfy_etl("status", *url) == (0, "There are no runs yet: start the first with tfy-etl sync.\n", "")
    done = tfy_etl("status", "--max-age", "6h", *url)
    assert done.code == 1
    assert "at most 6 hours old, but there is none" in done.err


def test_a_missing_database_fails_max_age(tfy_etl: Cli) -> None:
    done = tfy_etl("status", "--max-age", "6h")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: tfy-registry.db does not exist: tfy-etl sync creates it, or change "
        "TFY_ETL_DATABASE_URL or --database-url.\n"
    )


def test_max_age_fails_when_the_last_complete_run_is_older(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    assert tfy_etl("status", "--max-age", "6h").code == 0
    done = tfy_etl("status", "--max-age", "0s")
    assert done.code == 1
    assert done.err.startswith("Error: The last complete run must be at most 0 seconds old, but it is ")
    assert "succeeded" in done.out


def test_max_age_ignores_runs_of_one_ml_repo_if_everything_was_synced_once(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    execute_sql("UPDATE sync_scopes SET last_complete_at = '2024-01-01 00:00:00.000000'")
    assert tfy_etl("sync", "--ml-repo", "1").code == 0
    assert tfy_etl("status", "--max-age", "6h").code == 1


def test_a_complete_run_in_the_future_is_reported_and_not_fresh(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    execute_sql("UPDATE sync_scopes SET last_complete_at = '2999-01-01 00:00:00.000000'")

    done = tfy_etl("status", "--max-age", "6h")

    assert done.code == 1
    assert "in the future (a clock was wrong)" in done.out
    assert "at most 6 hours old, but it is dated " in done.err
    assert nagios(tfy_etl, "--max-age", "6h")[0] == 1
    assert tfy_etl("sync").code == 0
    assert tfy_etl("status", "--max-age", "6h").code == 0


def test_max_age_applies_to_the_oldest_of_several_filtered_scopes(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync", "--ml-repo", "1")
    tfy_etl("sync", "--ml-repo", "2")
    assert tfy_etl("status", "--max-age", "1h").code == 0
    assert tfy_etl("status", "--max-age", "0s").code == 1


def test_an_error_with_text_of_the_registry_is_sanitized(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    tfy_etl("sync", "--ml-repo", "[red]\x1b[2J\u202e")
    out = tfy_etl("status").out
    assert r"'[red]" in out
    assert all(line.isprintable() for line in out.splitlines())


def nagios(tfy_etl: Cli, *arguments: str) -> tuple[int, str]:
    """The exit code and the line of `status --output nagios`."""
    done = tfy_etl("status", "--output", "nagios", *arguments)
    (line,) = done.out.splitlines()
    assert done.err == ""
    return done.code, line


def test_nagios_output_is_ok_with_the_age_and_the_limits(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    for limits, expected in (
        (("--max-age", "1h", "--critical-age", "6h"), "3600;21600"),
        (("--max-age", "1h"), "3600;"),
        ((), ";"),
    ):
        code, line = nagios(tfy_etl, *limits)
        assert code == 0
        assert re.fullmatch(rf"TFY-ETL OK - the last complete run is \d+ seconds? old \| age=\d+s;{expected};0", line)


def test_nagios_output_is_warning_and_then_critical(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    execute_sql("UPDATE sync_scopes SET last_complete_at = '2024-01-01 00:00:00.000000'")
    code, line = nagios(tfy_etl, "--max-age", "1h", "--critical-age", "9000w")
    assert code == 1
    assert line.startswith("TFY-ETL WARNING - the last complete run is ")
    assert " old, limit 1 hour | age=" in line
    code, line = nagios(tfy_etl, "--max-age", "1h", "--critical-age", "6h")
    assert code == 2
    assert line.startswith("TFY-ETL CRITICAL - ")
    assert "limit 6 hours" in line


def test_nagios_output_without_a_complete_run_is_not_ok(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync", "--ml-repo", "no-such")
    assert nagios(tfy_etl, "--max-age", "1h") == (
        1, "TFY-ETL WARNING - there is no complete run, limit 1 hour",
    )  # fmt: skip


def test_nagios_output_without_a_database_is_unknown(tfy_etl: Cli) -> None:
    code, line = nagios(tfy_etl, "--max-age", "1h")
    assert code == 3
    assert line.startswith("TFY-ETL UNKNOWN - tfy-registry.db does not exist")


def test_critical_age_requires_nagios_output(tfy_etl: Cli) -> None:
    done = tfy_etl("status", "--critical-age", "6h")
    assert done.code == 2
    assert "--critical-age requires --output nagios" in done.err
