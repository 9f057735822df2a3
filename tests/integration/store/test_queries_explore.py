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
    """Make the folder look read-only: tests may run as root, who may write anywhere."""
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path and allowed(path, mode))


@pytest.mark.usefixtures("unwritable_folder")
def test_read_from_a_read_only_folder_fails_if_a_run_writes_at_the_same_time(
    migrated_file: Path, tmp_path: Path
) -> None:
    file = Path(shutil.copy(migrated_file, tmp_path / "registry.db"))
    with open_readonly(f"sqlite:///{file}") as connection:
        assert connection.scalar(text("SELECT count(*) FROM models")) == 0
    with pytest.raises(StoreError, match=r"A run wrote .* at the same time"), open_readonly(f"sqlite:///{file}"):
        write(file)


def write(file: Path) -> None:
    """Commit a row, as a run does."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO subjects (id) VALUES ('a')")
        connection.commit()


@pytest.mark.usefixtures("unwritable_folder")
def test_file_in_a_read_only_folder_is_not_browsed(migrated_file: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(migrated_file, tmp_path / "registry.db"))
    with pytest.raises(ConfigError, match="use a copy"):
        queries.explore.connect(file)
