"""After any edits and changes of the offered lists, no model is lost and no stale version looks current."""

import shutil
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.models import Model, ModelVersion
from etl.simulator import ENTITIES, Registry
from tests.support.sync_env import SyncEnv, sync_env

EVERY_LIST = frozenset(ENTITIES)
COVERAGES: tuple[frozenset[str], ...] = (EVERY_LIST, frozenset({"models"}), EVERY_LIST - {"model-versions"})

EDITS = st.tuples(
    st.sampled_from(
        ["add model", "add version", "tag", "tag silently", "describe", "delete version", "delete model", "restore"]
    ),
    st.integers(0, 50),
)
STEPS = st.tuples(st.lists(EDITS, max_size=4), st.sampled_from(COVERAGES), st.booleans())


class Editor:
    """Edits a registry; each edit but a silent one updates `updated_at` of the model."""

    def __init__(self, registry: Registry) -> None:
        """Nothing is deleted yet."""
        self.registry = registry
        self.deleted: list[str] = []

    def edit(self, kind: str, index: int) -> None:
        registry = self.registry
        models, versions = registry.ids("models"), registry.ids("model-versions")
        if kind == "add model":
            registry.add_model("1")
        elif kind == "restore":
            if self.deleted:
                registry.restore(self.deleted.pop())
        elif kind in {"add version", "delete model"} and models:
            self._on_model(kind, models[index % len(models)])
        elif versions:
            self._on_version(kind, versions[index % len(versions)], index)

    def _on_model(self, kind: str, model: str) -> None:
        if kind == "add version":
            self.registry.add_version(model, metrics=1)
        else:
            self.registry.delete_model(model)
            self.deleted.append(model)

    def _on_version(self, kind: str, version: str, index: int) -> None:
        if kind == "delete version":
            self.registry.delete_version(version)
        elif kind == "describe":
            self.registry.set_description(version, f"text {index}")
        else:
            self.registry.set_tags(version, [f"tag-{index}"], touch=kind == "tag")


def latest_version_ids(env: SyncEnv) -> set[str]:
    return {model["latest_version"]["id"] for model in env.registry.records("models") if model["latest_version"]}


def live_ids(env: SyncEnv, table: Any, *where: Any) -> set[str]:
    return {row["id"] for row in env.rows(table, table.deleted_at.is_(None), *where)}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=6))
def test_no_model_is_lost_and_every_latest_version_is_stored_as_it_was_embedded(
    migrated_file: Path, tmp_path: Path, steps: list[tuple[list[tuple[str, int]], frozenset[str], bool]]
) -> None:
    path = shutil.copy(migrated_file, tmp_path / "registry.db")
    registry = Registry.generate(seed=3, ml_repos=2, models=4, versions=2, metrics=1)
    editor = Editor(registry)
    with sync_env(f"sqlite:///{path}", registry) as env:
        for edits, offers, accepts in steps:
            for edit in edits:
                editor.edit(*edit)
            env.plane.offers = offers
            before = live_ids(env, Model), live_ids(env, ModelVersion)
            summary = env.sync(accept_coverage=accepts, allow_mass_delete=True, page_size=50)
            check_tables(env, complete=summary.complete, coverage=str(summary.coverage), before=before)
        env.plane.offers = EVERY_LIST
        env.sync(full=True, allow_mass_delete=True, page_size=50)

        assert env.held() == env.served()
        assert live_ids(env, ModelVersion, ModelVersion.superseded_at.is_not(None)) == set()


def check_tables(env: SyncEnv, *, complete: bool, coverage: str, before: tuple[set[str], set[str]]) -> None:
    served = set(env.registry.ids("models"))
    models, versions = live_ids(env, Model), live_ids(env, ModelVersion)
    assert served <= models
    stored, served_versions = env.held()["model_versions"], env.served()["model_versions"]
    assert {each: stored[each] for each in latest_version_ids(env)} == {
        each: served_versions[each] for each in latest_version_ids(env)
    }
    if complete:
        assert models == served
    else:
        assert before[0] <= models
        assert before[1] <= versions
    if coverage == "latest":
        of_served = {row["id"] for row in env.rows(ModelVersion) if row["model_id"] in served}
        assert before[1] & of_served <= versions
    if complete and coverage == "latest":
        assert live_ids(env, ModelVersion, ModelVersion.superseded_at.is_(None)) == latest_version_ids(env)
