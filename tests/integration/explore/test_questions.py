"""Results of prepared queries."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy

from sqlalchemy import update

from etl.explore.questions import BY_NAME
from etl.models import Model, ModelVersion
from tests.support.sync_env import sync_env


def test_models_without_a_version_for_days_include_an_empty_model_from_its_creation_on(
    migrated_file: Path, tmp_path: Path
) -> None:
    path = Path(copy(migrated_file, tmp_path / "registry.db"))
    with sync_env(f"sqlite:///{path}") as env:
        empty, used = env.registry.add_model("1", "empty"), env.registry.ids("models")[0]
        env.sync()

        def ages(days: str, created: int) -> dict[str, int]:
            moment = datetime.now(UTC) - timedelta(days=created, hours=1)
            with env.connection() as connection:
                connection.execute(update(Model).where(Model.id == empty).values(created_at=moment))
                connection.execute(update(ModelVersion).where(ModelVersion.model_id == used).values(created_at=moment))
            with closing(sqlite3.connect(path)) as connection:
                rows = connection.execute(BY_NAME["stale_for_days"].sql, {"days": days}).fetchall()
            return {row[-1]: row[-2] for row in rows if row[-1] in {empty, used}}

        assert ages("", created=0) == {}
        assert ages("7", created=7) == {}
        assert ages("7", created=8) == {empty: 8, used: 8}
