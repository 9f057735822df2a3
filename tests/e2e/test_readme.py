import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from etl.cli.progress import ProgressLog
from etl.settings import Settings
from etl.simulator import MODELS, Registry, Simulator
from etl.store import opened
from etl.sync import Interrupts, run
from tests.support.paths import ROOT

README = ROOT / "README.md"
QUERIES = re.findall(r"```sql\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def url(migrated_url: str) -> str:
    registry = Registry.generate(seed=3, models=20)
    with Simulator(registry, token="t") as simulator, Interrupts() as interrupts:
        settings = Settings(host=simulator.url, api_key="t", database_url=migrated_url)
        run(settings, interrupts=interrupts, progress=ProgressLog())
        registry.delete_model(registry.ids(MODELS)[0])
        run(replace(settings, allow_mass_delete=True), interrupts=interrupts, progress=ProgressLog())
    return migrated_url


def rows(url: str, query: str) -> list[dict[str, Any]]:
    with opened(url) as engine, engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def test_the_readme_has_three_queries_and_each_finds_something(url: str) -> None:
    production, packages, moved = (rows(url, query) for query in QUERIES)
    assert {tuple(row) for row in production} == {
        ("ml_repo_name", "model_name", "version", "tag", "created_by", "since_at")
    }
    assert all(row["requirement"].startswith("scikit-learn") for row in packages)
    assert packages
    assert {row["kind"] for row in moved} == {"deleted"}
