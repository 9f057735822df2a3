import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etl.simulator import Simulator
from etl.store import ALL_REPOS, Store
from tests.e2e.cli.conftest import Cli
from tests.e2e.cli.test_status import execute_sql


@pytest.fixture
def old_and_new_run(ready: Simulator, tfy_etl: Cli) -> None:
    """Two runs; the first is old."""
    tfy_etl("sync")
    execute_sql("UPDATE sync_runs SET started_at = '2020-01-01 00:00:00', finished_at = '2020-01-01 00:00:01'")
    tfy_etl("sync")


def run_count(tfy_etl: Cli) -> int:
    return len(json.loads(tfy_etl("status", "--output", "json").out)["runs"])


def test_prune_prints_the_deleted_rows_by_table(old_and_new_run: None, tfy_etl: Cli) -> None:
    done = tfy_etl("prune", "--keep", "90d")
    head, *lines = done.out.splitlines()
    before = datetime.strptime(head, "Deleted, older than %Y-%m-%d %H:%M:%S UTC:").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - timedelta(days=90) - before) < timedelta(hours=1)
    assert [line.split() for line in lines] == [
        ["sync_scopes", "0"],
        ["changes", "0"],
        ["rejected_records", "0"],
        ["sync_run_counts", "3"],
        ["sync_runs", "1"],
    ]
    assert (done.code, run_count(tfy_etl)) == (0, 1)


def test_json_output_of_prune_is_one_object(old_and_new_run: None, tfy_etl: Cli) -> None:
    done = tfy_etl("prune", "--keep", "90d", "--output", "json")
    result = json.loads(done.out)
    assert datetime.fromisoformat(result.pop("before")).utcoffset() == timedelta(0)
    assert result == {
        "dry_run": False,
        "deleted": {"sync_scopes": 0, "changes": 0, "rejected_records": 0, "sync_run_counts": 3, "sync_runs": 1},
    }


def test_a_dry_run_of_prune_deletes_nothing(old_and_new_run: None, tfy_etl: Cli) -> None:
    done = tfy_etl("prune", "--keep", "90d", "--dry-run")
    assert done.out.startswith("Dry run: nothing was deleted.")
    assert done.out.endswith("sync_runs                 1\n")
    assert run_count(tfy_etl) == 2


def test_prune_without_keep_deletes_nothing(old_and_new_run: None, tfy_etl: Cli) -> None:
    done = tfy_etl("prune")
    assert (done.code, done.out) == (2, "")
    assert done.err == "Error: No age is set: pass --keep 90d to delete run history that is older than 90 days.\n"
    assert run_count(tfy_etl) == 2


@pytest.mark.parametrize(
    ("option", "variable", "in_file", "remaining"),
    [
        ("90d", "9000w", "9000w", 1),
        ("9000w", "90d", "90d", 2),
        (None, "90d", "9000w", 1),
        (None, "9000w", "90d", 2),
        (None, None, "90d", 1),
    ],
)
def test_keep_is_read_from_option_environment_or_file_in_this_order(
    *,
    option: str | None,
    variable: str | None,
    in_file: str,
    remaining: int,
    old_and_new_run: None,
    folder: Path,
    tfy_etl: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "etl.toml").write_text(f'keep = "{in_file}"\npage-size = 7')
    if variable:
        monkeypatch.setenv("TFY_ETL_KEEP", variable)
    assert tfy_etl("prune", "--config", "etl.toml", *(["--keep", option] if option else [])).code == 0
    monkeypatch.delenv("TFY_ETL_KEEP", raising=False)
    assert run_count(tfy_etl) == remaining


def test_prune_needs_neither_the_lock_nor_a_token(
    old_and_new_run: None, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TFY_HOST", "TFY_API_KEY"):
        monkeypatch.delenv(name)
    with Store("sqlite:///tfy-registry.db") as store:
        store.lock(ALL_REPOS, 0)
        assert tfy_etl("prune", "--keep", "90d").code == 0
    assert run_count(tfy_etl) == 1


def test_prune_without_a_database_is_an_error(folder: Path, tfy_etl: Cli) -> None:
    done = tfy_etl("prune", "--keep", "90d")
    assert done.code == 2
    assert "tfy-registry.db does not exist" in done.err
    assert list(folder.iterdir()) == []
