"""Threads that fetch pages ahead."""

import subprocess
import sys
from threading import Event, current_thread

import pytest

from etl import run_context
from etl.source.fetch_pool import FetchPool
from tests.support.patience import patience


def test_task_keeps_its_result_or_exception_until_it_is_read() -> None:
    pool = FetchPool(2)

    good, bad = pool.submit(lambda: 1 / 2), pool.submit(lambda: 1 / 0)

    assert good.result() == 0.5
    with pytest.raises(ZeroDivisionError):
        bad.result()
    pool.close()


def test_call_cancelled_before_its_start_never_runs() -> None:
    pool = FetchPool(1)
    called: list[str] = []
    started, release = Event(), Event()
    pool.submit(started.set)
    pool.submit(release.wait)
    started.wait()

    pool.submit(lambda: called.append("cancelled")).cancel()
    last = pool.submit(lambda: called.append("last"))
    release.set()

    last.result()
    assert called == ["last"]
    pool.close()


def test_close_cancels_queued_calls_and_ends_the_threads() -> None:
    pool = FetchPool(1)
    release = Event()
    thread = pool.submit(current_thread).result()
    started = Event()
    pool.submit(started.set)
    pool.submit(release.wait)
    started.wait()
    waiting = pool.submit(lambda: None)

    pool.close()
    release.set()

    assert waiting.cancelled
    thread.join()


def test_running_call_does_not_delay_the_end_of_the_process() -> None:
    script = (
        "from etl.source.fetch_pool import FetchPool; from time import sleep; FetchPool(1).submit(lambda: sleep(3600))"
    )

    ended = subprocess.run([sys.executable, "-c", script], timeout=patience(), check=False)

    assert ended.returncode == 0


def test_call_runs_in_the_run_context_of_its_submitter() -> None:
    pool = FetchPool(1)
    with run_context.use_run_id("one"):
        first = pool.submit(run_context.run_id)
        with run_context.use_run_id("another"):
            second = pool.submit(run_context.run_id)
    third = pool.submit(run_context.run_id)
    assert [first.result(), second.result(), third.result()] == ["one", "another", None]
    pool.close()


def test_signal_sent_to_another_thread_ends_the_wait() -> None:
    """A signal just before the wait has the same effect: the system does not wake the main thread."""
    script = (
        "import signal, sys, threading\n"
        "from etl.source.fetch_pool import FetchPool\n"
        "def stop(*_): print('stopped', flush=True); sys.exit(3)\n"
        "signal.signal(signal.SIGUSR1, stop)\n"
        "def raise_it():\n"
        "    import time; time.sleep(0.3)\n"
        "    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)\n"
        "    threading.Event().wait()\n"
        "FetchPool(1).submit(raise_it).result()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=patience()
    )
    assert (done.returncode, done.stdout) == (3, "stopped\n")
