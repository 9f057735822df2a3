"""A small registry behind a simulated control plane, and the command line in this process."""

import logging
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl import run_context
from etl.cli import main
from etl.cli.sanitize import set_secrets
from etl.simulator import Registry, Simulator
from tests.e2e.cli.commands import TOKEN
from tests.support.preloaded_command import Done

Cli = Callable[..., Done]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of every command."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def reset_secrets() -> Iterator[None]:
    """Reset the secrets and the run id after each test."""
    yield
    set_secrets([])
    run_context.set_process_run_id(None)


@pytest.fixture
def registry() -> Registry:
    """Two ML repos, six models of two versions."""
    return Registry.generate(1, ml_repos=2, models=6, versions=2, metrics=1, empty_share=0)


@pytest.fixture
def plane(registry: Registry) -> Iterator[Simulator]:
    """A running control plane; no setting names it."""
    with Simulator(registry, token=TOKEN) as simulator:
        yield simulator


@pytest.fixture
def reachable(plane: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """The control plane, with `TFY_HOST` and `TFY_API_KEY` set to its URL and its token."""
    monkeypatch.setenv("TFY_HOST", plane.url)
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    return plane


@pytest.fixture
def ready(reachable: Simulator, folder: Path, migrated_file: Path) -> Simulator:
    """The same control plane, and an empty database at the newest revision, so that a sync need not create it."""
    shutil.copy(migrated_file, folder / "tfy-registry.db")
    return reachable


@pytest.fixture
def tfy_etl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Call the entry point of the command; reset logging and signal handlers after the test."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*args: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["tfy-etl", *args])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Done(code, *capsys.readouterr())

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    yield call
    root.handlers, root.level = before, level
    for number, handler in signals.items():
        signal.signal(number, handler)
