"""The data of a report."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl.report.data import ReportData
from etl.report.gather import gather
from tests.support.sync_env import SyncEnv

ReadData = Callable[..., ReportData]


@pytest.fixture
def read_data(env: SyncEnv) -> ReadData:
    """Return a function that reads the current report data."""

    def read(**given: Any) -> ReportData:
        stale_after = given.pop("stale_after", timedelta(days=180))
        data = gather(env.url, datetime.now(UTC), stale_after, **given)
        assert data is not None
        return data

    return read
