"""A registry with a history of two and a half years, and three runs."""

import itertools
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.simulator import MODELS, Registry
from etl.simulator.data import logical_clock
from tests.support.sync_env import SyncEnv

HISTORY = timedelta(days=900)
_TAGS = ("candidate", "baseline", "needs-review")
_METRICS = {"val/accuracy": (0.71, 0.035), "val/auc": (0.78, 0.03), "val/loss": (0.62, -0.06)}


def grown_registry(models: int = 60, versions: int = 6) -> Registry:
    """Create a registry whose records span the history; most metrics improve over time."""
    options: dict[str, Any] = {"ml_repos": 6, "models": models, "versions": versions, "metrics": 0, "tags": _TAGS}
    ticks = itertools.count()
    Registry.generate(4, **options, clock=lambda: datetime.fromtimestamp(next(ticks), UTC))
    start = datetime.now(UTC) - HISTORY - timedelta(days=150)  # later changes advance the clock
    registry = Registry.generate(4, **options, clock=logical_clock(start, HISTORY / next(ticks)))
    of_model = defaultdict[str, list[Any]](list)
    for version in registry.records("model-versions"):
        of_model[version["model_id"]].append(version)
    for model_id, trained in of_model.items():
        _train(registry, model_id, trained)
    return registry


def _train(registry: Registry, model_id: str, versions: list[Any]) -> None:
    """Set the metrics of all versions of a model, and tag one of the last two as production."""
    rng = random.Random(model_id)  # noqa: S311 made-up data
    for index, version in enumerate(versions):
        metrics = [
            {"key": key, "value": round(begin + index * step * rng.uniform(0.1, 1.2), 4), "timestamp": 0, "step": 1}
            for key, (begin, step) in _METRICS.items()
        ]
        registry.set_fields(version["id"], {"metrics": metrics}, touch=False)
    if rng.random() < 0.1:
        manifest = versions[-1]["manifest"] | {"metadata": {}}  # a version of unknown size
        registry.set_fields(versions[-1]["id"], {"manifest": manifest}, touch=False)
    if rng.random() < 0.3:
        registry.set_tags(rng.choice(versions[-2:])["id"], ["prod"], touch=False)


def with_history(env: SyncEnv) -> None:
    """Make three runs: one 44 days ago, one 9 days ago, one now."""
    registry = env.registry
    env.sync()
    move_back(env, timedelta(days=35))
    models = registry.ids(MODELS)
    for model_id in models[3:12]:
        registry.add_version(model_id)
    registry.delete_model(models[0])
    promoted = _in_production(registry)[:4]
    for version in promoted:
        _move_tag(registry, version, _latest(registry, version), ["prod"])
    env.sync()
    move_back(env, timedelta(days=9))
    _move_tag(registry, _latest(registry, promoted[0]), promoted[0], ["prod"])  # a rollback
    retired, doubled = _in_production(registry)[4:6]
    registry.set_tags(retired["id"], ["baseline"])
    registry.set_tags(_latest(registry, doubled)["id"], ["champion", "live"])
    fresh = registry.add_model("1", "churn-by-region")
    newest = registry.add_version(fresh)
    registry.set_tags(newest, ["prod"])
    registry.set_description(newest, "Chance that a customer leaves within a quarter, by region.")
    env.sync()
    env.execute("UPDATE sync_runs SET host = 'https://acme.example'")


def _in_production(registry: Registry) -> list[Any]:
    """Return the versions that are in production, if their model has a later one."""
    versions = [each for each in registry.records("model-versions") if "prod" in (each["tags"] or ())]
    return [each for each in versions if _latest(registry, each)["id"] != each["id"]]


def _latest(registry: Registry, version: Any) -> Any:
    return registry.get(MODELS, version["model_id"])["latest_version"]


def _move_tag(registry: Registry, before: Any, after: Any, tags: list[str]) -> None:
    registry.set_tags(before["id"], [])
    registry.set_tags(after["id"], tags)


def move_back(env: SyncEnv, by: timedelta) -> None:
    """Subtract a duration from the times of all runs."""
    moments = {
        "sync_runs": ("started_at", "finished_at"),
        "changes": ("observed_at",),
        "sync_scopes": ("last_complete_at", "last_full_at"),
        "ml_repos": ("first_seen_at", "last_changed_at", "deleted_at"),
        "models": ("first_seen_at", "last_changed_at", "deleted_at"),
        "model_versions": ("first_seen_at", "last_changed_at", "deleted_at"),
    }
    for table, columns in moments.items():
        moved = ", ".join(f"{column} = {_earlier(env, column, by)}" for column in columns)
        env.execute(f"UPDATE {table} SET {moved}")  # noqa: S608 names of our own


def _earlier(env: SyncEnv, column: str, by: timedelta) -> str:
    if env.url.startswith("postgresql"):
        return f"{column} - interval '{by.days} days'"
    return f"strftime('%Y-%m-%d %H:%M:%f000', {column}, '-{by.days} days')"
