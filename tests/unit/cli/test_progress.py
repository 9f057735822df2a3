import logging

import pytest
from rich.progress import Progress

from etl.cli.progress import NoProgress, ProgressBars, progress
from etl.enums import Entity


def test_progress_off_logs_nothing(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.cli.progress._EVERY_S", 0.0)
    with caplog.at_level(logging.DEBUG), progress(wanted=False) as receiver:
        receiver.phase("models")
        receiver.advance(Entity.MODELS, 500, 1200)
    assert isinstance(receiver, NoProgress)
    assert (caplog.messages, *capsys.readouterr()) == ([], "", "")


def test_records_before_the_first_phase_move_no_bar() -> None:
    with Progress(disable=True) as live:
        bars = ProgressBars(live)
        bars.advance("models", 3, 3)
        assert live.tasks == []


def test_a_bar_ends_full_with_any_number_of_records() -> None:
    with Progress(disable=True) as live:
        bars = ProgressBars(live)
        bars.phase("models")
        bars.advance("models", 3, 7)
        bars.advance("models", 3, None)
        bars.phase("comparing")
        bars.phase("writing")
    assert [(task.completed, task.total, task.finished) for task in live.tasks] == [
        (6, 6, True),
        (1, 1, True),
        (0, None, False),
    ]
