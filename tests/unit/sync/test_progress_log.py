import logging

import pytest

from etl.sync import ProgressLog


class Clock:
    """A clock that only the test advances."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("etl.sync.progress_log.time", clock)
    return clock


def test_a_long_phase_logs_its_records_at_most_once_in_an_interval(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        progress = ProgressLog(logging.getLogger("task"), 30.0)
        progress.phase("models")
        for _ in range(100):
            clock.now += 1
            progress.advance("models", 10, 5000)
    assert caplog.messages == [
        "models …",
        "models: 300 of 5000",
        "models: 600 of 5000",
        "models: 900 of 5000",
    ]


def test_a_short_phase_logs_one_line_and_each_phase_counts_anew(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        progress = ProgressLog(logging.getLogger("task"), 30.0)
        for name in ("models", "versions"):
            progress.phase(name)
            progress.advance(name, 7, None)
            clock.now += 20
        clock.now += 20
        progress.advance("model_versions", 1, None)
    assert caplog.messages == ["models …", "versions …", "model_versions: 8 of ?"]
