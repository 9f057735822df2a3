"""Property: after any changes and runs, the history matches the registry at every run."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl.enums import Entity
from etl.models import ModelVersion, PrunedHistory, SyncRun, views
from etl.models.types import unescape
from etl.records import identify, to_rows
from etl.simulator import Registry
from tests.support.databases import new_database
from tests.support.history_oracle import Pointers, State, Version, answers, as_of, held_at, prune, undone
from tests.support.sync_env import SyncEnv, sync_env

WORDS = ("prod", "Prod", "staging", "␛odd\0")
DEEP = json.loads("[" * 300 + "]" * 300)
"""A value that cannot be stored: a version with it is rejected, and keeps its stored state."""

_INSTANT = timedelta(microseconds=1)


@dataclass
class Editor:
    """Makes random changes, all of which update `updated_at`, so that incremental runs find them."""

    registry: Registry
    deleted: list[str] = field(default_factory=list)

    def edit(self, action: str, index: int, word: str) -> None:
        of_models = {"add", "drop model", "rename", "move model"}
        of_repos = {"rename repo", "add model"}
        kind = "models" if action in of_models else "ml-repos" if action in of_repos else "model-versions"
        ids = self.deleted if action == "restore" else self.registry.ids(kind)
        if ids:
            getattr(self, f"_{action.replace(' ', '_')}")(ids[index % len(ids)], word)

    def _tags(self, version: str) -> set[str]:
        return set(self.registry.get("model-versions", version)["tags"] or ())

    def _tag(self, version: str, word: str) -> None:
        self.registry.set_tags(version, sorted(self._tags(version) | {word}))

    def _untag(self, version: str, word: str) -> None:
        self.registry.set_tags(version, sorted(self._tags(version) - {word}))

    def _move(self, version: str, word: str) -> None:
        for each in self.registry.ids("model-versions"):
            self._untag(each, word)
        self._tag(version, word)

    def _alias(self, version: str, word: str) -> None:
        self.registry.set_alias(version, word)

    def _unalias(self, version: str, _word: str) -> None:
        self.registry.set_alias(version, None)

    def _describe(self, version: str, word: str) -> None:
        self.registry.set_description(version, word)

    def _frame(self, version: str, word: str) -> None:
        self.registry.set_framework(version, {"type": word} if word != "prod" else None)

    def _measure(self, version: str, word: str) -> None:
        self.registry.add_metric(version, word, {"prod": 0.5, "Prod": float("nan")}.get(word))

    def _package(self, version: str, word: str) -> None:
        manifest = self.registry.get("model-versions", version)["manifest"]
        environment = {"python_version": "3.12", "pip_packages": [f"numpy=={len(word)}", word, word]}
        self.registry.set_fields(version, {"manifest": manifest | {"environment": environment}})

    def _spoil(self, version: str, word: str) -> None:
        self.registry.set_fields(version, {"deep": DEEP if word != "staging" else None})

    def _add(self, model: str, _word: str) -> None:
        self.registry.add_version(model, metrics=1)

    def _rename(self, model: str, word: str) -> None:
        self.registry.set_fields(model, {"name": word})

    def _move_model(self, model: str, _word: str) -> None:
        """Move a model with its versions to the other ML repo."""
        target = "2" if self.registry.get("models", model)["ml_repo_id"] == "1" else "1"
        for version in self.registry.records("model-versions"):
            if version["model_id"] == model:
                self.registry.set_fields(version["id"], {"ml_repo_id": target})
        self.registry.set_fields(model, {"ml_repo_id": target})

    def _rename_repo(self, repo: str, word: str) -> None:
        manifest = self.registry.get("ml-repos", repo)["manifest"]
        self.registry.set_fields(repo, {"manifest": manifest | {"name": f"repo-{word.encode().hex()}"}})

    def _add_model(self, repo: str, word: str) -> None:
        self.registry.add_model(repo, word)

    def _drop(self, version: str, _word: str) -> None:
        self.registry.delete_version(version)
        self.deleted.append(version)

    def _drop_model(self, model: str, _word: str) -> None:
        self.registry.delete_model(model)
        self.deleted.append(model)

    def _restore(self, record: str, _word: str) -> None:
        of_model = record not in self.registry.ids("models") and self._model_of(record)
        if of_model and of_model not in self.registry.ids("models"):
            return  # a version can only be restored if its model exists
        self.deleted.remove(record)
        self.registry.restore(record)
        self.registry.touch(record)

    def _model_of(self, record: str) -> str | None:
        (first, *_) = self.registry._deleted[record]
        return first.model_id or None


ACTIONS = (
    "tag", "tag", "untag", "untag", "move", "alias", "unalias", "describe", "frame", "measure", "package", "spoil",
    "add", "rename", "drop", "drop model", "restore", "restore",
)  # fmt: skip
edits = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 11), st.sampled_from(WORDS)), max_size=6)
filters = st.sampled_from([(), (), ("1",), ("2",)])
sequences = st.lists(st.tuples(edits, filters), min_size=2, max_size=5)


Parents = dict[str, tuple[str, str]]
"""ML repo and model of each version that ever existed."""


def expected_state(registry: Registry, before: State, parents: Parents, ml_repos: tuple[str, ...]) -> State:
    """Return the expected state after a run over these ML repos, or over all if there are none.

    A version that cannot be stored stays as it was.
    """
    records = {record["id"]: record for record in registry.records("model-versions")}
    parents |= {each: (record["ml_repo_id"], record["model_id"]) for each, record in records.items()}
    after = dict[str, Version]()
    for each in before.keys() | records.keys():
        ml_repo, _model = parents[each]
        record = records.get(each)
        unread = bool(ml_repos) and ml_repo not in ml_repos
        if record and not record.get("deep") and not unread:
            after[each] = Version.of(to_rows(identify(Entity.MODEL_VERSIONS, record)))
        elif each in before and (record or unread):
            after[each] = before[each]
    return deepcopy(after)


def pointers(state: State) -> Pointers:
    return {
        each: (int(it.fields["version"] or 0), it.fields["version_alias"], frozenset(it.tags))
        for each, it in state.items()
    }


@contextmanager
def fresh_database(dialect: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """An empty database for each example."""
    if dialect == "sqlite":
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), folder / 'registry.db')}"
        return
    template = request.getfixturevalue("migrated_template")
    with new_database(request.getfixturevalue("postgres_url"), template=template) as url:
        yield url


# No shrinking, which would replay whole runs for minutes.
@settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=sequences)
def test_history_matches_the_registry_after_every_run(
    dialect: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    sequence: list[tuple[list[tuple[str, int, str]], tuple[str, ...]]],
) -> None:
    registry = Registry.generate(seed=5, ml_repos=2, models=4, versions=2, metrics=1, empty_share=0, tags=WORDS)
    editor, parents, states = Editor(registry), Parents(), list[State]()
    with fresh_database(dialect, request, tmp_path) as url, sync_env(url, registry) as env:
        for actions, ml_repos in sequence:
            for action in actions:
                editor.edit(*action)
            env.sync(ml_repo=ml_repos, allow_mass_delete=True)
            states.append(expected_state(registry, states[-1] if states else {}, parents, ml_repos))
        moments = moments_of(env, states)
        assert as_of(env, min(moments) - _INSTANT) == {}
        assert_history_matches(env, moments)
        assert_starts_are_exact_or_marked_inexact(env, moments)
        horizon = sorted(moments)[len(moments) // 2]
        prune(env, horizon)
        kept = {moment: state for moment, state in moments.items() if moment >= horizon}
        assert_history_matches(env, kept)
        assert_no_label_is_false(env, moments)
        assert_starts_are_exact_or_marked_inexact(env, moments)


def moments_of(env: SyncEnv, states: list[State]) -> dict[datetime, State]:
    """Check the state at the start of each run, and just before the next one."""
    starts = sorted(run["started_at"] for run in env.rows(SyncRun))
    at_starts = dict(zip(starts, states, strict=True))
    return at_starts | {after - _INSTANT: state for after, state in zip(starts[1:], states, strict=False)}


def assert_history_matches(env: SyncEnv, moments: dict[datetime, State]) -> None:
    """Check all three sources of history."""
    tags, aliases = env.rows(views.tag_history), env.rows(views.alias_history)
    for moment, state in undone(env, moments).items():
        assert state == moments[moment]
    for moment, state in moments.items():
        expected = pointers(state)
        assert as_of(env, moment) == expected
        assert held_at(tags, moment, "tag") == {each: set(it[2]) for each, it in expected.items() if it[2]}
        assert held_at(aliases, moment, "version_alias") == {each: {it[1]} for each, it in expected.items() if it[1]}


def assert_no_label_is_false(env: SyncEnv, moments: dict[datetime, State]) -> None:
    """Check that no version has a label that it did not have; labels that were pruned may be missing."""
    rows = env.rows(views.tag_history)
    for moment, state in moments.items():
        for each, tags in held_at(rows, moment, "tag").items():
            assert each in state
            assert tags <= state[each].tags


def assert_starts_are_exact_or_marked_inexact(env: SyncEnv, moments: dict[datetime, State]) -> None:
    """Check that exact periods start when they say; others start with their version, unless changes were pruned."""
    first_seen = {row["id"]: row["first_seen_at"] for row in env.rows(ModelVersion)}
    pruned = [row["newest_change_at"] for row in env.rows(PrunedHistory)]
    for row in env.rows(views.tag_history):
        before = row["valid_from"] - _INSTANT
        if not row["valid_from_is_exact"]:
            seen = first_seen[row["model_version_id"]]
            assert seen <= row["valid_from"] <= max([seen, *pruned])
        elif before in moments:
            version = moments[before].get(row["model_version_id"])
            assert version is None or row["tag"] not in version.tags


@dataclass(frozen=True)
class Names:
    """Name and ML repo of each model, the number of its versions, and the same names for each version."""

    models: dict[str, tuple[str, str, int]]
    versions: dict[str, tuple[str, str]]
    in_production: set[tuple[str, str, str, str]]

    @classmethod
    def of(cls, registry: Registry) -> "Names":
        """Read the names from the registry."""
        repos = {each["id"]: each["manifest"]["name"] for each in registry.records("ml-repos")}
        versions = registry.records("model-versions")
        numbers = Counter(each["model_id"] for each in versions)
        models = {
            each["id"]: (each["name"], repos[each["ml_repo_id"]], numbers[each["id"]])
            for each in registry.records("models")
        }
        parents = {each["id"]: (models[each["model_id"]][0], repos[each["ml_repo_id"]]) for each in versions}
        labels = {(each["id"], *parents[each["id"]], tag) for each in versions for tag in each["tags"] or ()}
        return cls(models, parents, {label for label in labels if label[3].lower() == "prod"})

    @classmethod
    def from_queries(cls, env: SyncEnv, moment: datetime) -> "Names":
        """Read the names from the shipped queries."""
        models = {
            row["model_id"]: (unescape(row["model_name"]), row["ml_repo_name"], row["version_count"])
            for row in answers(env, "models_as_of", at=moment)
        }
        versions = {
            row["model_version_id"]: (unescape(row["model_name"]), row["ml_repo_name"])
            for row in answers(env, "as_of", at=moment)
        }
        in_production = {
            (row["model_version_id"], unescape(row["model_name"]), row["ml_repo_name"], row["label"])
            for row in answers(env, "production_as_of", at=moment)
        }
        return cls(models, versions, in_production)


MOVES = ("rename", "rename", "move model", "move model", "rename repo", "add", "add model", "tag", "untag", "drop",
         "drop model", "restore", "restore")  # fmt: skip
moves = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 11), st.sampled_from(WORDS)), max_size=6)


# No shrinking, as above.
@settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(moves, min_size=2, max_size=4))
def test_names_and_ml_repos_are_those_of_the_moment_after_renames_and_moves(
    dialect: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    sequence: list[list[tuple[str, int, str]]],
) -> None:
    registry = Registry.generate(seed=6, ml_repos=2, models=3, versions=2, metrics=1, empty_share=0, tags=WORDS)
    editor, expected_names, tagged = Editor(registry), list[Names](), list[dict[str, set[str]]]()
    with fresh_database(dialect, request, tmp_path) as url, sync_env(url, registry) as env:
        for actions in sequence:
            for action in actions:
                editor.edit(*action)
            env.sync(allow_mass_delete=True)
            expected_names.append(Names.of(registry))
            tagged.append({each["id"]: {*each["tags"]} for each in registry.records("model-versions") if each["tags"]})
        starts = sorted(run["started_at"] for run in env.rows(SyncRun))
        for start, expected, tags in zip(starts, expected_names, tagged, strict=True):
            assert Names.from_queries(env, start) == expected
            assert held_at(env.rows(views.tag_history), start, "tag") == tags
        for after, expected in zip(starts[1:], expected_names, strict=False):
            assert Names.from_queries(env, after - _INSTANT) == expected
        assert Names.from_queries(env, starts[0] - _INSTANT) == Names({}, {}, set())
