"""The Grafana dashboard: every query runs against its data source."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from etl.store import engine_scope
from tests.e2e.monitoring.test_alerts import EXPORTED_METRICS
from tests.support.databases import new_database
from tests.support.external_tools import require_tool
from tests.support.paths import ROOT
from tests.support.sync_env import sync_env

DASHBOARD = json.loads((ROOT / "docs" / "monitoring" / "grafana.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
QUERIES = [(title, target) for title, target in TARGETS if "rawSql" in target]
EXPRESSIONS = [target["expr"] for _, target in TARGETS if "expr" in target]


@pytest.fixture(scope="module")
def url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """A database after a first load, a run with changes and a run with a rejected record."""
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url) as env:
        env.sync()
        env.registry.delete_model(env.registry.ids("models")[0])
        env.sync()
        env.registry.put_raw("models", "odd", None)
        env.sync()
        yield url


def expand_macros(query: str) -> str:
    """Expand the macros of Grafana's PostgreSQL data source, for all times."""
    query = re.sub(
        r"\$__timeFilter\(([\w.]+)\)", r"\1 BETWEEN '1970-01-01T00:00:00Z' AND '2970-01-01T00:00:00Z'", query
    )
    query = query.replace("$__interval", "'1h'")
    return re.sub(r"\$__timeGroup\(([\w.]+),\s*'1h'\)", r"floor(extract(epoch from \1)/3600)*3600", query)


def rows(url: str, query: str) -> list[dict[str, Any]]:
    with engine_scope(url) as engine, engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(expand_macros(query))).mappings()]


@pytest.mark.parametrize(("title", "target"), QUERIES, ids=[title for title, _ in QUERIES])
def test_every_query_returns_rows(title: str, target: dict[str, Any], url: str) -> None:
    assert "$" not in expand_macros(target["rawSql"])
    found = rows(url, target["rawSql"])
    assert found
    for row in found:
        if target["format"] == "time_series":
            assert list(row) == ["time", "metric", "value"]
            assert isinstance(row["time"], datetime) or float(row["time"]) < datetime.now(UTC).timestamp()


def test_database_statistics_have_a_row_for_each_counted_kind(url: str) -> None:
    stats = [target for panel in PANELS if panel["type"] == "stat" for target in panel["targets"] if "rawSql" in target]
    assert len(stats) == 3
    age, live, open_rejects = (rows(url, target["rawSql"]) for target in stats)
    assert [row["metric"] for row in age] == ["all"]
    assert [(row["metric"], row["value"]) for row in live] == [("ML repos", 3), ("models", 11), ("versions", 33)]
    assert [(row["metric"], row["value"]) for row in open_rejects] == [
        ("ml_repos", 0), ("model_versions", 0), ("models", 1),
    ]  # fmt: skip


def test_dashboard_shows_exactly_the_exported_metrics() -> None:
    used = {name for expression in EXPRESSIONS for name in re.findall(r"\btfy_etl_\w+", expression)}
    assert used == EXPORTED_METRICS
    scope = next(each for each in DASHBOARD["templating"]["list"] if each["name"] == "scope")
    assert set(re.findall(r"\btfy_etl_\w+", scope["definition"])) <= EXPORTED_METRICS


def test_prometheus_accepts_every_expression(tmp_path: Path) -> None:
    promtool = require_tool("promtool", "prometheus", starts_a_service=True)
    recorded = [
        {"record": f"dashboard:{number}", "expr": each.replace("$__rate_interval", "5m").replace("$scope", ".*")}
        for number, each in enumerate(EXPRESSIONS)
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(EXPRESSIONS)} rules found" in done.stdout


def test_panels_use_the_data_source_variable_and_have_descriptions() -> None:
    kinds = {
        f"${{{each['name']}}}": each["query"]
        for each in DASHBOARD["templating"]["list"]
        if each["type"] == "datasource"
    }
    assert len(kinds) == 2
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert kinds[target["datasource"]["uid"]] == target["datasource"]["type"]
            assert ("rawSql" in target) == (target["datasource"]["type"] == "grafana-postgresql-datasource")


def test_panels_have_unique_ids_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    occupied: set[tuple[int, int]] = set()
    for panel in panels:
        position = panel["gridPos"]
        cells = {(position["x"] + x, position["y"] + y) for x in range(position["w"]) for y in range(position["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & occupied, panel["title"]
        occupied |= cells
