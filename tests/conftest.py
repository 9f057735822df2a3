"""Fixtures for all tests: a clean environment, and real databases of each kind, empty or migrated."""

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import make_url

from tests.support.databases import OVERRIDE, migrate, new_database, postgres_server
from tests.support.environment import make_bare
from tests.support.load_factor import start_clock
from tests.support.paths import ROOT
from tests.support.patience import patience
from tests.support.shared_statements import share_compiled_statements
from tests.support.sync_env import SyncEnv, sync_env

make_bare()
share_compiled_statements()

# Without a deadline, because the time of an example depends on the machine. CI uses the same examples every time.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

# At the end of a run, workers without work wait less for quick files.
_FOLDERS = ["e2e", "bench", "integration", "unit"]
_MARKS = {"bench": "bench", "e2e": "e2e", "integration": "slow"}
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
_CA_FILES = {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}


@pytest.hookimpl(tryfirst=True)  # before pytest selects by -m
def extend_time_limit(item: pytest.Item) -> None:
    """Multiply the time limit of a test by the factor of the machine."""
    marker = item.get_closest_marker("timeout")
    seconds = marker.args[0] if marker else float(item.config.getini("timeout"))
    item.add_marker(pytest.mark.timeout(patience(seconds)), append=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder, scale its time limit, and put the folders with the slowest files first."""
    items.sort(key=lambda item: _FOLDERS.index(item.path.relative_to(ROOT / "tests").parts[0]))
    for item in items:
        if mark := _MARKS.get(item.path.relative_to(ROOT / "tests").parts[0]):
            item.add_marker(mark)
        extend_time_limit(item)


def pytest_xdist_auto_num_workers() -> int:
    """Use one worker more than there are cores, because some tests wait."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Keep the thousands of collected tests out of garbage collections, which are as rare as in `tfy-etl sync`."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Escape lone surrogates, because xdist ends the whole run at a report that has one."""
    return _escape_surrogates((yield))


def _escape_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {key: _escape_surrogates(item) for key, item in value.items()}
        case list() | tuple():
            return [_escape_surrogates(item) for item in value]
    return value


def pytest_runtest_call() -> None:
    """Start the clock of `report`."""
    start_clock()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide settings, proxies and certificates of the developer from tests."""
    for name in tuple(os.environ):
        ours = name.startswith("TFY_") and name != OVERRIDE
        if ours or name.upper() in _PROXIES | _CA_FILES:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of the maintenance database of a PostgreSQL server."""
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    return str(request.param)


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'registry.db'}"
        return
    with new_database(request.getfixturevalue("postgres_url"), drop_later=True) as url:
        yield url


@pytest.fixture
def migrated_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind at the newest revision: a copy of a migrated one."""
    if dialect == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "registry.db")
        yield f"sqlite:///{path}"
        return
    template = request.getfixturevalue("migrated_template")
    with new_database(request.getfixturevalue("postgres_url"), template=template, drop_later=True) as url:
        yield url


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    """A small registry behind a control plane, and a database of each kind to copy it into."""
    with sync_env(migrated_url) as env:
        yield env


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest revision, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "registry.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> Iterator[str]:
    """The name of a PostgreSQL database at the newest revision, to copy."""
    with new_database(postgres_url) as url:
        migrate(url)
        yield str(make_url(url).database)
