"""A registry with markup in its texts, the real command `explore`, and a browser."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from tests.e2e.cli.commands import COMMAND, TOKEN
from tests.support.browser import Window, chromium
from tests.support.marked_up_registry import marked_up_registry, move_tags
from tests.support.sync_env import SyncEnv, sync_env


@dataclass
class Explored:
    """The running command `explore`, its URL, and the environment of its file."""

    process: subprocess.Popen[str]
    env: SyncEnv
    url: str

    @property
    def file(self) -> Path:
        return Path(self.env.url.removeprefix("sqlite:///"))


@contextmanager
def exploring(url: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `explore`; yield the process and its URL. Its environment has a token, which no page may show."""
    process = subprocess.Popen(
        [COMMAND, "explore", "--port", "0", "--database-url", url, *arguments],
        env=os.environ | {"TFY_API_KEY": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[4]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def explored(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    """A file whose name needs URL encoding, after two runs; the second one moved tags."""
    path = copy(migrated_file, tmp_path_factory.mktemp("explored") / "odd #1%41&?.db")
    url = f"sqlite:///{path}".replace("?", "%3F")
    with sync_env(url, marked_up_registry()) as env:
        env.sync()
        move_tags(env.registry)
        env.sync()
        with exploring(url) as (process, address):
            yield Explored(process, env, address)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture
def window(browser: Any, explored: Explored) -> Iterator[Window]:
    """An empty page; errors and requests to other hosts fail the test."""
    with Window.of(browser, explored.url.rpartition("/")[0]) as window:
        yield window
