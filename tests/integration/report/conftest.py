"""The data of a report."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl.report.data import ReportData, gather
from tests.support.sync_env import SyncEnv

Gathered = Callable[..., ReportData]


@pytest.fixture
def gathered(env: SyncEnv) -> Gathered:
    """Return a function that reads the current report data."""

    def read(**given: Any) -> ReportData:
        data = gather(env.url, datetime.now(UTC), given.get("stale_after", timedelta(days=180)))
        assert data is not None
        return data

    return read
