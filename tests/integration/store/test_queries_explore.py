import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from etl.errors import ConfigError, StoreError
from etl.store import open_readonly, queries


@pytest.fixture
def unwritable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one sees who may only read the folder; whoever runs these tests may be root, who may write anywhere."""
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path and allowed(path, mode))


@pytest.mark.usefixtures("unwritable_folder")
def test_a_look_from_where_runs_cannot_be_followed_is_no_state_when_one_wrote_meanwhile(
    migrated_file: Path, tmp_path: Path
) -> None:
    file = Path(shutil.copy(migrated_file, tmp_path / "registry.db"))
    with open_readonly(f"sqlite:///{file}") as connection:
        assert connection.scalar(text("SELECT count(*) FROM models")) == 0
    with pytest.raises(StoreError, match=r"A run wrote .* at the same time"), open_readonly(f"sqlite:///{file}"):
        write(file)


def write(file: Path) -> None:
    """As a run does."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO subjects (id) VALUES ('a')")
        connection.commit()


@pytest.mark.usefixtures("unwritable_folder")
def test_a_file_that_runs_write_is_not_browsed_where_they_cannot_be_followed(
    migrated_file: Path, tmp_path: Path
) -> None:
    file = Path(shutil.copy(migrated_file, tmp_path / "registry.db"))
    with pytest.raises(ConfigError, match="look at a copy"):
        queries.explore.connect(file)
