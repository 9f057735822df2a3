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

from etl.simulator import MODEL_VERSIONS, MODELS, Registry
from tests.e2e.cli.commands import COMMAND, TOKEN
from tests.support.browser import Window, chromium
from tests.support.sync_env import SyncEnv, sync_env

MARKUP = "</td></table></script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
NASTY = (
    MARKUP,
    "<style>* {display: none}</style>",
    "\"><a href='javascript:window.hacked=1'>",
    "{{ 7 * 7 }} \u202egnihton\u202c =cmd|'/c calc'!A1",
    "https://elsewhere.example/pixel.png",
)


@dataclass
class Explored:
    """Start the command on a file."""

    process: subprocess.Popen[str]
    env: SyncEnv
    url: str

    @property
    def file(self) -> Path:
        return Path(self.env.url.removeprefix("sqlite:///"))


@contextmanager
def exploring(url: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Yield the process and its URL. Its environment has a token, which no page may show."""
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


def nasty_registry() -> Registry:
    """A registry with markup in all texts, and a description of 300 kB."""
    registry = Registry.generate(seed=7, ml_repos=2, models=12, versions=2, metrics=2, empty_share=0)
    for each, nasty in zip(registry.ids(MODELS), NASTY, strict=False):
        registry.set_fields(each, {"name": nasty})
    for each, nasty in zip(registry.ids(MODEL_VERSIONS), NASTY, strict=False):
        registry.set_tags(each, [nasty, "prod"])
        registry.set_alias(each, nasty)
        registry.set_framework(each, {"type": nasty})
        registry.set_description(each, nasty * 4000)
        registry.add_metric(each, nasty, 0.5)
    return registry


@pytest.fixture(scope="session")
def explored(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    """A file whose name needs URL encoding, after two runs; the second one moved tags."""
    path = copy(migrated_file, tmp_path_factory.mktemp("explored") / "odd #1%41&?.db")
    url = f"sqlite:///{path}".replace("?", "%3F")
    with sync_env(url, nasty_registry()) as env:
        env.sync()
        env.registry.set_tags(env.registry.ids(MODEL_VERSIONS)[-1], ["prod", "given-lately"])
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
