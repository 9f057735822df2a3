"""A synthetic registry on disk: each list is one file, and a page is a slice of it, which is cheap to serve.

A dataset is a folder with a subfolder for each state of the registry. `base` is the registry as it was created.
`changed` is the same after edits of a hundredth of the models. `deleted` lacks another hundredth of the models.

Half of the edits change the tags of a version and no `updated_at`. The other half change a description, and the
`updated_at` of the version and of its model.
"""

import json
import mmap
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import IO, Self

from etl.simulator import ENTITIES, ML_REPOS, MODEL_VERSIONS, MODELS, Registry

BASE, CHANGED, DELETED = STATES = ("base", "changed", "deleted")
ML_REPO_COUNT, VERSIONS, METRICS = 5, 5, 10
EDITED_TAG, EDITED_TEXT = "moved-by-the-bench", "Written by the bench."

_BLOCK = 10_000
"""Number of models to generate at once; they have to fit into memory with their versions."""

_EACH = 100
_EVERYTHING = 10**9
_EXPECTED = "expected.json"


class _List:
    """Writes one list: its records joined by commas, their offsets and their ids."""

    def __init__(self, folder: Path, entity: str, stack: ExitStack) -> None:
        self._at = array("Q", [0])
        self._ids: list[str] = []
        self._path = folder / entity
        self._file: IO[bytes] = stack.enter_context(self._path.with_suffix(".json").open("wb"))

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, record_id: str, text: bytes) -> None:
        self._file.write(text + b",")
        self._ids.append(record_id)
        self._at.append(self._at[-1] + len(text) + 1)

    def close(self) -> None:
        self._path.with_suffix(".at").write_bytes(self._at.tobytes())
        self._path.with_suffix(".ids").write_text("\n".join(self._ids), encoding="ascii")


class _Writer:
    """Writes one state of the registry, block by block."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._lists = {entity: _List(folder, entity, stack) for entity in ENTITIES}
        self._first_versions = array("Q")
        self._repos = array("Q")
        self.expected: Counter[str] = Counter()

    def add(self, registry: Registry, number: int) -> None:
        """Add the models and versions of a registry; for the first one also its ML repos."""
        tenant = b"model:acme-%d/" % (number + 1) if number else b"model:acme/"
        if not number:
            repos = zip(registry.ids(ML_REPOS), registry.page(ML_REPOS, {}, 0, _EVERYTHING)[0], strict=True)
            for repo_id, text in repos:
                self._lists[ML_REPOS].add(repo_id, text)
        version_ids = iter(registry.ids(MODEL_VERSIONS))
        for model_id in registry.ids(MODELS):
            text = registry.text(MODELS, model_id) or b""
            self._repos.append(int(json.loads(text)["ml_repo_id"]) - 1)
            self._first_versions.append(len(self._lists[MODEL_VERSIONS]))
            # Names repeat in each block; another tenant keeps the fqns distinct.
            self._lists[MODELS].add(model_id, text.replace(b"model:acme/", tenant))
            for version in registry.page(MODEL_VERSIONS, {"model_id": (model_id,)}, 0, _EVERYTHING)[0]:
                self._lists[MODEL_VERSIONS].add(next(version_ids), version.replace(b"model:acme/", tenant))
                self._count(version)

    def _count(self, version: bytes) -> None:
        record = json.loads(version)
        self.expected["tags"] += len(record["tags"] or ())
        self.expected["metrics"] += len(record["metrics"] or ())
        self.expected["packages"] += len((record["manifest"]["environment"] or {}).get("pip_packages", ()))
        self.expected["edited descriptions"] += record["manifest"]["description"] == EDITED_TEXT
        self.expected["edited tags"] += record["tags"] == [EDITED_TAG]

    def close(self) -> None:
        """Write the indexes and the expected counts."""
        for entity, list_writer in self._lists.items():
            self.expected[entity.replace("-", "_")] = len(list_writer)
            list_writer.close()
        (self._folder / "models.first").write_bytes(self._first_versions.tobytes())
        (self._folder / "models.repo").write_bytes(self._repos.tobytes())
        (self._folder / _EXPECTED).write_text(json.dumps(self.expected), encoding="ascii")


def prepare(
    folder: Path,
    models: int,
    *,
    states: Sequence[str] = STATES,
    ml_repos: int = ML_REPO_COUNT,
    versions: int = VERSIONS,
) -> None:
    """Write a registry of this many models to the folder, with `versions` each and 10 metrics per version."""
    with ExitStack() as stack:
        writers = {state: _Writer(folder / state, stack) for state in states}
        for number, first in enumerate(range(0, models, _BLOCK)):
            count = min(_BLOCK, models - first)
            registry = Registry.generate(
                number + 1, ml_repos=ml_repos, models=count, versions=versions, metrics=METRICS, empty_share=0.0
            )
            for state, writer in writers.items():
                _CHANGES[state](registry)
                writer.add(registry, number)
        for writer in writers.values():
            writer.close()


def edit(registry: Registry) -> None:
    """Edit the latest version of a hundredth of the models."""
    for number, model_id in enumerate(registry.ids(MODELS)[::_EACH]):
        version = registry.get(MODELS, model_id)["latest_version"]["id"]
        if number % 2:
            registry.set_tags(version, [EDITED_TAG], touch=False)
        else:
            registry.set_description(version, EDITED_TEXT)


def delete(registry: Registry) -> None:
    """Delete a hundredth of the models, none of them edited."""
    for model_id in registry.ids(MODELS)[_EACH // 2 :: _EACH]:
        registry.delete_model(model_id)


_CHANGES: Mapping[str, Callable[[Registry], None]] = {BASE: lambda _: None, CHANGED: edit, DELETED: delete}
"""The change that leads to each state, in this order."""


def expected(folder: Path, state: str) -> dict[str, int]:
    """Return the number of rows of each kind, and of edits, in a complete copy of a state."""
    counts: dict[str, int] = json.loads((folder / state / _EXPECTED).read_text(encoding="ascii"))
    return counts


class Listed:
    """A list to serve, memory-mapped."""

    def __init__(self, folder: Path, entity: str) -> None:
        self._path = folder / entity
        self._at = _numbers(self._path.with_suffix(".at"))
        with self._path.with_suffix(".json").open("rb") as file:
            self._text = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def __len__(self) -> int:
        """The number of records."""
        return len(self._at) - 1

    @cached_property
    def positions(self) -> Mapping[bytes, int]:
        """The position of each id."""
        ids = self._path.with_suffix(".ids").read_bytes().split(b"\n")
        return dict(zip(ids, range(len(ids)), strict=True))

    def slice(self, first: int, last: int) -> memoryview:
        """Return the records from `first` to before `last`, joined by commas."""
        first, last = min(first, len(self)), min(last, len(self))
        return self._text[self._at[first] : max(self._at[last] - 1, self._at[first])]

    def join(self, positions: Sequence[int]) -> bytes:
        """Return the records at these positions, joined by commas."""
        return b",".join([self.slice(position, position + 1) for position in positions])


class Dataset:
    """A state of the registry to serve."""

    def __init__(self, folder: Path) -> None:
        self.lists = {entity: Listed(folder, entity) for entity in ENTITIES}
        self._first_versions = _numbers(folder / "models.first")
        self._repo = _numbers(folder / "models.repo")

    @classmethod
    def all_of(cls, folder: Path) -> dict[str, Self]:
        """Open all states of a dataset."""
        return {state.name: cls(state) for state in sorted(folder.iterdir())}

    def of_model(self, model_id: bytes) -> range:
        """Return the positions of the versions of a model."""
        model = self.lists[MODELS].positions.get(model_id)
        return range(0) if model is None else self._versions(model)

    def _versions(self, model: int) -> range:
        after = model + 1
        end = self._first_versions[after] if after < len(self._repo) else len(self.lists[MODEL_VERSIONS])
        return range(self._first_versions[model], end)

    def of_repo(self, entity: str, ml_repo_id: bytes) -> Sequence[int]:
        """Return the positions of the models or versions of an ML repo."""
        return self._by_repo[entity].get(ml_repo_id, ())

    @cached_property
    def _by_repo(self) -> dict[str, dict[bytes, Sequence[int]]]:
        models: dict[bytes, array[int]] = {repo_id: array("Q") for repo_id in self.lists[ML_REPOS].positions}
        in_order = list(models.values())
        for model, repo in enumerate(self._repo):
            in_order[repo].append(model)
        return {
            MODELS: dict(models),
            MODEL_VERSIONS: {
                repo_id: array("Q", (version for model in positions for version in self._versions(model)))
                for repo_id, positions in models.items()
            },
        }


def _numbers(path: Path) -> "array[int]":
    numbers = array("Q")
    numbers.frombytes(path.read_bytes())
    return numbers
