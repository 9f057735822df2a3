import errno
import logging
import threading
from collections.abc import Iterator

import pytest

from etl.errors import ConfigError
from etl.settings import Settings
from etl.sync import Interrupts, ProgressLog, run, run_reporter
from tests.support.otlp_receiver import OtlpReceiver, receiver

LOG = logging.getLogger(__name__)


@pytest.fixture
def http_receiver() -> Iterator[OtlpReceiver]:
    with receiver() as listening:
        yield listening


def test_a_run_without_host_and_token_sends_a_message(http_receiver: OtlpReceiver) -> None:
    settings = Settings(notify_url=f"{http_receiver.url}/hook")
    with pytest.raises(ConfigError), run_reporter(settings, str) as reporter, Interrupts() as interrupts:
        run(settings, interrupts=interrupts, progress=ProgressLog(LOG, 10.0), monitor=reporter.monitor)
    (post,) = http_receiver.to("/hook")
    assert post.json()["exit_code"] == 2
    assert "No host and no token are set" in post.json()["error"]


def test_message_of_a_run_that_a_system_error_ended_names_the_error(http_receiver: OtlpReceiver) -> None:
    settings = Settings(notify_url=f"{http_receiver.url}/hook")
    with pytest.raises(OSError, match="No space"), run_reporter(settings, str) as reporter, reporter.monitor:
        raise OSError(errno.ENOSPC, "No space left on device", "stage.db")
    (post,) = http_receiver.to("/hook")
    assert "No space left on device: 'stage.db'. Fix this, then run again." in post.json()["error"]


def test_a_run_that_did_not_start_leaves_no_exporter_open(
    http_receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", http_receiver.url)
    before = set(threading.enumerate())
    during: set[threading.Thread] = set()
    with run_reporter(Settings(), str):
        during |= set(threading.enumerate()) - before
    assert during
    assert [each.name for each in during if each.is_alive()] == []
