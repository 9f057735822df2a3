"""Pages of a registry with markup in all its texts, served within this process."""

import asyncio
import html
import re
from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from etl.explore.database import RegistryDatabase
from etl.explore.server import create_app
from tests.support.marked_up_registry import marked_up_registry, move_tags
from tests.support.sync_env import SyncEnv, sync_env


def text(markup: str) -> str:
    """Return the text of a page or a cell, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def assert_harmless(page: str, name: str) -> None:
    assert "<script" not in page, name
    assert "<img src=x" not in page, name
    assert "<style" not in page, name
    assert not re.search(r"""href=["']?javascript""", page), name
    page.encode()


class Pages:
    """The pages of a file."""

    def __init__(self, env: SyncEnv, runner: asyncio.Runner, datasette: Any) -> None:
        self.env = env
        self._runner = runner
        self._datasette = datasette

    def response(self, path: str, **parameters: Any) -> Any:
        return self._runner.run(self._datasette.client.get(f"/registry{path}", params=parameters or None))

    def html(self, path: str, **parameters: Any) -> str:
        found = self.response(path, **parameters)
        assert found.status_code == 200, (path, found.text)
        return str(found.text)

    def rows(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of a table, a view or a query, as JSON has them."""
        found = self.response(f"{path}.json", _shape="array", **parameters)
        assert found.status_code == 200, (path, found.text)
        return list(found.json())


@pytest.fixture(scope="session")
def pages(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The pages of the registry, after two runs; the second one found changes."""
    path = Path(copy(migrated_file, tmp_path_factory.mktemp("pages") / "registry.db"))
    with sync_env(f"sqlite:///{path}", marked_up_registry()) as env, asyncio.Runner() as runner:
        env.sync()
        move_tags(env.registry)
        env.sync()
        datasette, database = create_app(path)
        yield Pages(env, runner, datasette)
        close(datasette, database)


def close(datasette: Any, database: RegistryDatabase) -> None:
    datasette.executor.shutdown()
    database.close()
