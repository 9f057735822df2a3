"""Pages about a time before the known history."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shutil import copy

import pytest

from etl.explore.server import create_app
from etl.models import SyncRun
from tests.integration.explore.conftest import Pages, close, text
from tests.support.history_oracle import prune
from tests.support.sync_env import sync_env


@pytest.fixture(scope="module")
def pruned(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pages, list[str]]]:
    """The pages after three runs, and when these began. The first two were pruned, with their changes."""
    path = Path(copy(migrated_file, tmp_path_factory.mktemp("pruned") / "registry.db"))
    with sync_env(f"sqlite:///{path}") as env, asyncio.Runner() as runner:
        version = env.registry.ids("model-versions")[0]
        for tag in ("first", "second", "third"):
            env.registry.set_tags(version, [tag])
            env.sync()
        starts = sorted(row["started_at"] for row in env.rows(SyncRun))
        env.execute("UPDATE sync_runs SET finished_at = started_at")
        prune(env, starts[1] + timedelta(microseconds=1))
        datasette, database = create_app(path)
        yield Pages(env, runner, datasette), [each.isoformat() for each in starts]
        close(datasette, database)


@pytest.mark.parametrize("question", ["registry_at", "models_at", "production_at", "tags_at", "version_at"])
def test_question_about_a_time_has_a_note_above_its_rows_that_history_starts_later(
    pruned: tuple[Pages, list[str]], question: str
) -> None:
    pages, (first, _second, third) = pruned
    note = "History is known from"
    parameters = {"model": pages.rows("/models")[0]["id"], "version": 1}
    before = pages.html(f"/{question}", at=first, **parameters)
    assert f"{note} {third[:16].replace('T', ' ')} UTC on." in text(before)
    assert before.index(note) < before.find('class="rows-and-columns"') or "Nothing is known of that time." in before
    for known in (third, ""):
        assert note not in pages.html(f"/{question}", at=known, **parameters)


def test_page_of_two_times_has_a_note_that_history_starts_later(pruned: tuple[Pages, list[str]]) -> None:
    pages, (first, second, third) = pruned
    for start in (first, second):
        page = text(pages.html("/compare_moments", **{"from": start, "to": third}))
        assert "earlier differences may be missing." in page
    assert "earlier differences" not in text(pages.html("/compare_moments", **{"from": third}))
