"""Rows for tests of relationships."""

import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, insert

from etl.models import (
    Base,
    MlRepo,
    Model,
    ModelRunStep,
    ModelVersion,
    ModelVersionMetric,
    ModelVersionPackage,
    ModelVersionTag,
    Subject,
)

NOW = datetime(2024, 1, 1, tzinfo=UTC)
SYNCED: dict[str, Any] = {"content_hash": "", "first_seen_at": NOW, "last_changed_at": NOW}
MANIFEST = {"text": "a\x00b", "loss": math.nan, "bound": -math.inf, "large": 1e23}


def store(engine: Engine, of: type[Base], *rows: dict[str, Any]) -> None:
    """Insert rows by a Core statement, as the sync does, with the required columns filled."""
    synced = SYNCED if "content_hash" in Base.metadata.tables[of.__tablename__].c else {}
    with engine.begin() as connection:
        for row in rows:
            connection.execute(insert(Base.metadata.tables[of.__tablename__]), synced | row)


def fill(engine: Engine) -> None:
    """Insert one repo, two models, three versions, and lists of each kind, all in mixed order."""
    store(engine, Subject, {"id": "ada", "display_name": "Ada\x00"})
    store(engine, MlRepo, {"id": "1", "name": "risk", "created_by_id": "ada", "is_derived": False})
    store(
        engine,
        Model,
        {"id": "m2", "name": "zebra", "ml_repo_id": "1"},
        {"id": "m1", "name": "ant", "ml_repo_id": "1", "created_by_id": "ada", "latest_version_id": "v2"},
    )
    store(
        engine,
        ModelVersion,
        {"id": "v2", "model_id": "m1", "version": 2, "created_by_id": "ada", "manifest": MANIFEST},
        {"id": "v1", "model_id": "m1", "version": 1, "description": "a\x00b\u241b", "extra": {"n": [math.nan]}},
        {"id": "v0", "model_id": "m1", "version": None},
    )
    lists: tuple[tuple[type[Base], str, tuple[Any, Any]], ...] = (
        (ModelVersionTag, "tag", ("prod", "eu")),
        (ModelVersionMetric, "key", ("auc", "loss")),
        (ModelVersionPackage, "requirement", ("torch", "numpy")),
    )
    for of, column, values in lists:
        rows = [{"model_version_id": "v2", "position": place, column: value} for place, value in enumerate(values)]
        store(engine, of, *reversed(rows))
    store(engine, ModelRunStep, *({"model_id": "m1", "position": place, "step": 10 - place} for place in (1, 0)))


def store_many(engine: Engine, models: int, versions: int = 2, lists: int = 3) -> None:
    """Insert models with versions, each with this many tags and metrics."""
    model_ids = [f"m{number:04}" for number in range(models)]
    version_ids = [(model, number, f"{model}-{number}") for model in model_ids for number in range(versions)]
    places = [(version, place) for _, _, version in version_ids for place in range(lists)]
    rows: dict[str, list[dict[str, Any]]] = {
        "ml_repos": [SYNCED | {"id": "1", "name": "risk", "is_derived": False}],
        "models": [
            SYNCED | {"id": model, "name": model, "ml_repo_id": "1", "latest_version_id": f"{model}-{versions - 1}"}
            for model in model_ids
        ],
        "model_versions": [
            SYNCED | {"id": version, "model_id": model, "version": number, "manifest": MANIFEST}
            for model, number, version in version_ids
        ],
        "model_version_tags": [
            {"model_version_id": version, "position": place, "tag": f"t{place}"} for version, place in places
        ],
        "model_version_metrics": [
            {"model_version_id": version, "position": place, "key": f"k{place}", "value": place}
            for version, place in places
        ],
    }
    with engine.begin() as connection:
        for table, of_table in rows.items():
            connection.execute(insert(Base.metadata.tables[table]), of_table)
