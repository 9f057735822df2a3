"""Versions that the source does not list any more, because it lists only the latest version of each model."""

import asyncio
from pathlib import Path
from shutil import copy

from etl.explore.server import create_app
from tests.integration.explore.conftest import Pages, close, text
from tests.support.sync_env import sync_env


def test_page_of_a_model_marks_superseded_versions_as_last_known(migrated_file: Path, tmp_path: Path) -> None:
    path = Path(copy(migrated_file, tmp_path / "registry.db"))
    with sync_env(f"sqlite:///{path}", offers={"models"}) as env, asyncio.Runner() as runner:
        model = env.registry.add_model("1", "scorer")
        env.registry.set_tags(env.registry.add_version(model), ["prod"])
        env.sync()
        env.registry.set_tags(env.registry.add_version(model), ["prod"])
        env.sync()
        datasette, database = create_app(path)
        page = text(Pages(env, runner, datasette).html(f"/models/{model}"))
        close(datasette, database)
    in_production, _, versions = page.partition("Versions Version")
    assert in_production.count("last known, 20") == versions.count("last known, 20") == 1
    assert "v1 last known, 20" in versions
