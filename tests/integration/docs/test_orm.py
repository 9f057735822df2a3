"""Every block of Python in docs/how-to/analysts/orm.md runs on both databases, and prints the right values."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, insert, select
from sqlalchemy.exc import OperationalError

from etl.models import Base, Model
from etl.simulator import Registry
from tests.support.databases import new_database
from tests.support.paths import ROOT
from tests.support.sync_env import sync_env

PAGE = ROOT / "docs" / "how-to" / "analysts" / "orm.md"
OPENING, *EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
LATEST, METRIC, FRAME = EXAMPLES


def build_registry() -> Registry:
    """Two ML repos: one with versions, tags, metrics and an empty model; one whose only version has no size."""
    registry = Registry(seed=1)
    risk, search = registry.add_ml_repo("risk"), registry.add_ml_repo("search")
    scorer, other = registry.add_model(risk, "fraud-scorer"), registry.add_model(search, "ranker")
    registry.add_model(risk, "not-trained-yet")
    for number, value in enumerate([0.5, None, 0.75, 0.875], start=1):
        version = registry.add_version(scorer, metrics=0)
        values = [] if value is None else [{"key": "val/auc", "value": value}, {"key": "val/loss", "value": 9.0}]
        registry.set_fields(version, {"metrics": values, "tags": [f"week-{number}", "candidate"]})
        set_size(registry, version, 1000 * number)
    set_size(registry, registry.add_version(other, metrics=0), None)
    return registry


def set_size(registry: Registry, version: str, size: int | None) -> None:
    manifest = registry.get("model-versions", version)["manifest"]
    registry.set_fields(version, {"manifest": manifest | {"metadata": {".truefoundry": {"artifact_size": size}}}})


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of each kind, which the examples only read."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("filled") / "registry.db"
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), path)}"
        fill(url)
        yield url
        return
    template = request.getfixturevalue("migrated_template")
    with new_database(request.getfixturevalue("postgres_url"), template=template) as url:
        fill(url)
        yield url


def fill(url: str) -> None:
    """Two runs; the last version of the model is deleted in between."""
    registry = build_registry()
    with sync_env(url, registry) as env:
        env.sync()
        registry.delete_version(registry.ids("model-versions")[3])
        env.sync(allow_mass_delete=True)


@pytest.fixture
def names(filled: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names that the first block of the page defines."""
    monkeypatch.setenv("TFY_ETL_DATABASE_URL", filled)
    names: dict[str, Any] = {}
    exec(OPENING, names)  # noqa: S102 the block as printed
    yield names
    names["engine"].dispose()


def run_block(block: str, names: dict[str, Any]) -> tuple[str, int]:
    """Run a block, and return its output and the number of its SELECT statements."""
    statements: list[str] = []
    event.listen(names["engine"], "before_cursor_execute", lambda *given: statements.append(given[2]))
    with redirect_stdout(StringIO()) as out:
        exec(block, names)  # noqa: S102 the block as printed
    return out.getvalue(), len([each for each in statements if each.lstrip().startswith("SELECT")])


def test_models_of_an_ml_repo_are_printed_with_latest_version_and_tags(names: dict[str, Any]) -> None:
    assert run_block(LATEST, names) == (
        "fraud-scorer 3 ['week-3', 'candidate']\nnot-trained-yet has no version\n",
        2,
    )


def test_a_metric_is_printed_for_each_version_that_is_not_deleted(names: dict[str, Any]) -> None:
    assert run_block(METRIC, names) == ("1 [0.5]\n2 []\n3 [0.75]\n", 3)


def test_versions_are_counted_in_a_data_frame(names: dict[str, Any]) -> None:
    printed, _ = run_block(FRAME, names)

    assert [line.split() for line in printed.splitlines()] == [
        ["versions", "bytes"],
        ["ml_repo"],
        ["risk", "3", "6000.0"],
        ["search", "1", "NaN"],
    ]
    versions, by_repo = names["versions"], names["by_repo"]
    assert list(versions["version"]) == [1, 2, 3, 1]
    assert str(versions["created_at"].dt.tz) == "UTC"
    assert by_repo.loc["risk", "newest"] == versions["created_at"][2]


def test_example_runs_in_a_separate_process(filled: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", OPENING + METRIC],
        env=os.environ | {"TFY_ETL_DATABASE_URL": filled},
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout == "1 [0.5]\n2 []\n3 [0.75]\n"


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_the_read_only_url_of_sqlite_reads_and_refuses_writes_and_missing_files(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (url,) = re.findall(r"sqlite:///file:\S+(?=`)", PAGE.read_text(encoding="utf-8"))
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.scalars(select(Model.id)).all() == []
        with pytest.raises(OperationalError, match="readonly"):
            connection.exec_driver_sql("DELETE FROM models")
    engine.dispose()
    with pytest.raises(OperationalError, match="unable to open"):
        create_engine(url.replace("registry", "mistyped")).connect()
    assert not (tmp_path / "mistyped.db").exists()


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_plain_engine_reads_the_first_and_the_last_time_if_pgtz_is_utc(
    migrated_url: str, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "`PGTZ=UTC`" in PAGE.read_text(encoding="utf-8")
    monkeypatch.setenv("PGTZ", "UTC")
    engine: Engine = create_engine(migrated_url)
    now = datetime(2024, 1, 1, tzinfo=UTC)
    row = {"id": "m", "created_at": moment, "content_hash": "", "first_seen_at": now, "last_changed_at": now}
    with engine.begin() as connection:
        connection.execute(insert(Base.metadata.tables["models"]), row)
        assert connection.scalar(select(Model.created_at)) == moment
    engine.dispose()
