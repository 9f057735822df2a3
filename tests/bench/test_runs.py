import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bench.compare import summaries
from bench.databases import POSTGRESQL, SQLITE, Loaded, fresh
from bench.measure import Failed, measured
from bench.mock_server import TOKEN, running
from bench.peers.direct import COLUMNS
from bench.runs import Benchmark
from bench.tools import CHANGED, FIRST, OUR_TABLES, OURS, RUNS, Tool, peer, tfy_etl
from etl.store import engine_scope

DIRECT = Tool(
    name="direct load",
    before=tfy_etl("db", "upgrade"),
    command=peer("direct", "{url}"),
    found=OUR_TABLES,
    runs=(FIRST,),
)
# The direct load has neither hashes nor leftovers, and writes JSON in another notation.
NOT_COMPARED = {"content_hash", "extra", "first_seen_at", "last_changed_at", "metadata", "manifest"}


def compared_rows(loaded: Loaded, table: str) -> list[dict[str, Any]]:
    with engine_scope(loaded.url) as engine, engine.connect() as connection:
        rows = connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).mappings()  # noqa: S608 our own tables
        return [{name: value for name, value in row.items() if name not in NOT_COMPARED} for row in rows]


@pytest.fixture(scope="module")
def bench(postgres_url: str) -> Iterator[Benchmark]:
    with running(200) as (plane, dataset):
        yield Benchmark(plane=plane, dataset=dataset, server=postgres_url)


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_tfy_etl_loads_all_rows_and_all_edits(bench: Benchmark, database: str) -> None:
    first, again, changed, deleted = bench.runs(OURS, database, RUNS)
    assert [each["missing"] for each in (first, again, changed, deleted)] == [{}] * 4
    assert first["found"]["metrics"] == 10_000
    assert (changed["found"]["edited descriptions"], changed["found"]["edited tags"]) == (1, 1)
    assert again["requests"] < first["requests"]
    assert again["bytes"] < first["bytes"]


def test_missing_rows_of_a_tool_are_reported(bench: Benchmark) -> None:
    # It loads the same tables once, and does nothing in later runs.
    runs_once = replace(
        DIRECT, command=("sh", "-c", f"test -e done || {' '.join(DIRECT.command)} && touch done"), runs=RUNS
    )
    first, _, changed, deleted = bench.runs(runs_once, SQLITE, RUNS)
    assert first["missing"] == {}
    assert changed["run"] == CHANGED
    assert changed["missing"].items() >= {"edited descriptions": 1, "edited tags": 1}.items()
    assert deleted["missing"].items() >= {"models": -2, "model_versions": -10, "metrics": -100}.items()


def test_missing_rows_of_tfy_etl_end_the_benchmark(bench: Benchmark) -> None:
    only_one_repo = replace(OURS, command=(*OURS.command, "--ml-repo", "1"))
    with pytest.raises(Failed, match="does not hold what was served"):
        list(bench.runs(only_one_repo, SQLITE, (FIRST,)))


def test_failure_of_a_tool_is_reported_and_ends_its_runs(bench: Benchmark) -> None:
    broken = Tool(name="broken", command=(sys.executable, "-c", "raise SystemExit('no disk')"), found=OUR_TABLES)
    (only,) = bench.runs(broken, SQLITE, RUNS)
    assert "no disk" in only["error"]


def test_direct_load_fills_columns_as_a_sync_does(bench: Benchmark, database: str, tmp_path: Path) -> None:
    columns = {}
    for tool in (OURS, DIRECT):
        folder = tmp_path / tool.name
        folder.mkdir()
        with fresh(database, folder, bench.server) as loaded:
            environment = {"TFY_HOST": bench.plane.url, "TFY_API_KEY": TOKEN}
            for command in (tool.before_at(loaded.url), tool.at(loaded.url)):
                measured(command, folder, environment)
            columns[tool.name] = {table: compared_rows(loaded, table) for table in COLUMNS}
    assert columns[OURS.name] == columns[DIRECT.name]
    assert all(columns[OURS.name].values())


def measurement(number: int, tool: str, wall: float, **changes: Any) -> dict[str, Any]:
    figures = {
        "cpu": 1.0,
        "peak_mb": 100.0,
        "requests": 5,
        "bytes": 5,
        "rows": 5,
        "missing": {},
        "found": {},
        "tables": {},
    }
    return {"round": number, "database": SQLITE, "run": FIRST, "tool": tool, "wall": wall, **figures, **changes}


def test_ratios_are_computed_within_a_round_before_the_median() -> None:
    walls = {"tfy-etl": (10.0, 1.0, 2.0), "dlt": (20.0, 4.0, 12.0)}
    measured = [measurement(number, name, wall) for name, each in walls.items() for number, wall in enumerate(each)]
    ours, dlt = summaries(measured)
    assert (ours["wall"], ours["ratios"]["wall"]) == (2.0, 1.0)
    # The medians alone would say 12 / 2 = 6.
    assert (dlt["wall"], dlt["ratios"]["wall"], dlt["wall_range"]) == (12.0, 4.0, [4.0, 20.0])


def test_rounds_that_failed_are_left_out_of_medians_and_ratios() -> None:
    failed = {"round": 1, "database": SQLITE, "run": FIRST, "tool": "dlt", "error": "no disk"}
    measured = [measurement(0, "tfy-etl", 1.0), measurement(1, "tfy-etl", 1.0), measurement(0, "dlt", 3.0), failed]
    _, dlt = summaries(measured)
    assert (dlt["rounds"], dlt["wall"], dlt["ratios"]["wall"]) == (1, 3.0, 3.0)
    (broken,) = summaries([failed])
    assert broken["error"] == "no disk"
