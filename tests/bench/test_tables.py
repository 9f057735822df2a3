import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

TABLES = ROOT / "tools" / "docs" / "performance_tables.py"
FIGURES = {
    "database": "PostgreSQL", "run": "first load", "wall": 10.04, "cpu": 8.0, "server_cpu": 2.5, "peak_mb": 150.6,
    "requests": 64, "bytes": 125_000_000, "rows": 123_456, "wall_range": [9.0, 11.0], "missing": {},
}  # fmt: skip


@pytest.fixture
def comparison(tmp_path: Path) -> Callable[..., list[list[str]]]:
    def table(*summary: dict[str, Any]) -> list[list[str]]:
        (tmp_path / "compare.json").write_text(json.dumps({"summary": summary}), encoding="utf-8")
        tables = runpy.run_path(str(TABLES))
        tables["comparison"].__globals__["_RESULTS"] = tmp_path
        lines = tables["comparison"]("first load").splitlines()
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]

    return table


def test_row_shows_the_measurements(comparison: Callable[..., list[list[str]]]) -> None:
    (row,) = comparison(FIGURES | {"tool": "dlt", "ratios": {"wall": 2.345}})
    assert row == [
        "PostgreSQL", "dlt", "10.0", "9.0 to 11.0", "2.35", "8.0", "2.5", "151", "64", "125", "123,456",
    ]  # fmt: skip


def test_missing_or_surplus_rows_are_listed(comparison: Callable[..., list[list[str]]]) -> None:
    lines = comparison(FIGURES | {"tool": "dlt", "missing": {"edited tags": 50, "models": -1000}})
    assert lines[-1] == ["- dlt on PostgreSQL: 50 new tags missing, 1,000 models too many."]


def test_a_tool_that_failed_stays_in_the_table(comparison: Callable[..., list[list[str]]]) -> None:
    failed = {"database": "SQLite", "run": "first load", "tool": "dlt", "rounds": 0, "error": "no disk"}
    (row,) = comparison(failed)
    assert row[:3] == ["SQLite", "dlt", "failed"]


def test_runs_of_another_kind_are_left_out(comparison: Callable[..., list[list[str]]]) -> None:
    assert comparison(FIGURES | {"tool": "dlt", "run": "nothing new"}) == []


def test_the_bound_of_the_merge_lock_leaves_out_the_time_of_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {
        "how": "DAG", "repos_per_task": 10, "run": "first load", "sync_tasks": 4, "task_seconds": {"sync": 50.0},
        "waiting_s": 10.0, "merging_s": 5.0,
    }  # fmt: skip
    result = {"data": {"model_versions": 2000}, "runs": [first, first | {"run": "nothing new"}]}
    (tmp_path / "airflow_celery.json").write_text(json.dumps(result), encoding="utf-8")
    monkeypatch.syspath_prepend(TABLES.parent)
    import airflow_tables

    monkeypatch.setattr("performance_tables._RESULTS", tmp_path)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in airflow_tables.bound().splitlines()[2:]]
    assert rows == [
        ["first load", "4", "10.0", "1.25", "2.50", "8", "5"],
        ["nothing new", "4", "10.0", "1.25", "", "8", "5"],
    ]
