import json
import logging
import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from etl.settings import Settings
from etl.simulator import MODELS, Registry, Simulator
from etl.store import engine_scope
from etl.sync import Interrupts, ProgressLog, run
from tests.support.paths import ROOT

LOG = logging.getLogger(__name__)
README = ROOT / "README.md"
QUERIES = re.findall(r"```sql\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def url(migrated_url: str) -> str:
    registry = Registry.generate(seed=3, models=20)
    with Simulator(registry, token="t") as simulator, Interrupts() as interrupts:
        settings = Settings(host=simulator.url, api_key="t", database_url=migrated_url)
        run(settings, interrupts=interrupts, progress=ProgressLog(LOG, 10.0))
        registry.delete_model(registry.ids(MODELS)[0])
        run(replace(settings, allow_mass_delete=True), interrupts=interrupts, progress=ProgressLog(LOG, 10.0))
    return migrated_url


def rows(url: str, query: str) -> list[dict[str, Any]]:
    with engine_scope(url) as engine, engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def test_the_query_of_the_readme_returns_the_columns_shown(url: str) -> None:
    (query,) = QUERIES
    found = rows(url, query)
    assert {tuple(row) for row in found} == {("model_name", "version", "tag", "since", "exact", "created_by")}
    assert "| model_name | version | tag | since | exact | created_by |" in README.read_text(encoding="utf-8")


def test_the_readme_has_the_measured_times_of_sqlite() -> None:
    summary = json.loads((ROOT / "bench" / "results" / "compare.json").read_text(encoding="utf-8"))["summary"]
    walls = {each["run"]: each["wall"] for each in summary if (each["database"], each["tool"]) == ("SQLite", "tfy-etl")}
    sentence = f"takes {walls['first load']:.0f} s into SQLite, and the next run {walls['nothing new']:.1f} s"
    assert sentence in README.read_text(encoding="utf-8")


def test_the_readme_fits_on_120_lines() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120
