"""An environment in each kind of database, and the data of its report."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl.report.data import ReportData, gather
from tests.support.sync_env import SyncEnv, sync_env

Gathered = Callable[..., ReportData]


@pytest.fixture
def mirror(migrated_url: str) -> Iterator[SyncEnv]:
    with sync_env(migrated_url) as mirror:
        yield mirror


@pytest.fixture
def gathered(mirror: SyncEnv) -> Gathered:
    """Return a function that reads the current report data."""

    def read(**given: Any) -> ReportData:
        data = gather(mirror.url, datetime.now(UTC), given.get("stale_after", timedelta(days=180)))
        assert data is not None
        return data

    return read
