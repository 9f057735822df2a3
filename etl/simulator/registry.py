"""The records of the simulated control plane, which threads read and change under one lock.

Each record is kept as the JSON text that is served, so that a page is a join of bytes. A change parses the text,
edits the record and serializes it again. The registry has its own clock, which advances by a fixed step with each
change, so that every run is the same.
"""

import itertools
import json
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from etl.simulator.data import TAGS, Record, RecordFactory, format_time, logical_clock, metric
from etl.simulator.http_types import dumps
from etl.simulator.stored_record import (
    ENTITIES,
    ML_REPOS,
    MODEL_VERSIONS,
    MODELS,
    ORDERS,
    Filters,
    StoredRecord,
    filter_fields,
)

MUTATIONS = frozenset({
    "add_metric", "add_ml_repo", "add_model", "add_version", "delete_ml_repo", "delete_model",
    "delete_version", "put_raw", "restore", "set_alias", "set_description", "set_fields", "set_framework",
    "set_tags", "touch",
})  # fmt: skip
"""The methods of a registry that other processes may call over HTTP."""


class NoSuchRecord(LookupError):
    """The registry has no record with this id."""


class Registry:
    """ML repos, models and versions, which may change while they are served.

    `order` is the order of lists: created, created_desc, name, recent, or shuffled (a new order at each request).
    Methods that change a record have a parameter `touch`: whether to update `updated_at` of the record and of its
    model. The real source does not guarantee this update.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        tenant: str = "acme",
        tags: tuple[str, ...] = TAGS,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.order = "created"
        self._lock = threading.RLock()
        self._clock = clock or logical_clock()
        self._factory = RecordFactory(seed, tenant, tags)
        self._shuffling = random.Random(seed)  # noqa: S311 (an order, not a secret)
        self._numbers = itertools.count(1)
        self._repo_numbers = itertools.count()
        self._model_numbers = itertools.count()
        self._entries: dict[str, dict[str, StoredRecord]] = {entity: {} for entity in ENTITIES}
        self._versions: dict[str, dict[str, StoredRecord]] = defaultdict(dict)
        self._last_version: dict[str, int] = defaultdict(int)
        self._deleted: dict[str, list[StoredRecord]] = {}
        self._lists: dict[Any, list[StoredRecord]] = {}

    @classmethod
    def generate(  # noqa: PLR0913 (all are optional, and passed by name)
        cls,
        seed: int = 0,
        *,
        ml_repos: int = 3,
        models: int = 40,
        versions: int = 5,
        metrics: int = 10,
        empty_share: float = 0.05,
        tags: tuple[str, ...] = TAGS,
        tenant: str = "acme",
        clock: Callable[[], datetime] | None = None,
    ) -> Self:
        """Create a registry with `versions` versions in each model, but none in `empty_share` of the models."""
        registry = cls(seed, tenant=tenant, tags=tags, clock=clock)
        repos = [registry.add_ml_repo() for _ in range(ml_repos)]
        for number in range(models):
            model_id = registry.add_model(repos[number % ml_repos])
            # Empty models are spread evenly: one wherever the running share passes a whole number.
            empty = int((number + 1) * empty_share) > int(number * empty_share)
            for _ in range(0 if empty else versions):
                registry.add_version(model_id, metrics=metrics)
        return registry

    def page(self, entity: str, filters: Filters, offset: int, limit: int) -> tuple[list[bytes], int]:
        """Return the JSON texts of one page of a list, and the number of records in the list."""
        with self._lock:
            rows = self._ordered(entity, filters)
            return [self._served(entry) for entry in rows[offset : offset + limit]], len(rows)

    def text(self, entity: str, id: str) -> bytes | None:
        """Return the JSON text of a record as it is served now; None if there is none."""
        with self._lock:
            entry = self._entries[entity].get(id)
            return self._served(entry) if entry else None

    def get(self, entity: str, id: str) -> Any:
        """Return a record as it is served now. Raises NoSuchRecord."""
        with self._lock:
            return json.loads(self._served(self._entry(id, entity)))

    def records(self, entity: str) -> list[Any]:
        """Return all records of an entity as they are served now, oldest first."""
        with self._lock:
            return [json.loads(self._served(entry)) for entry in self._oldest_first(entity)]

    def ids(self, entity: str) -> list[str]:
        """Return the ids of all records of an entity, oldest first."""
        with self._lock:
            return [entry.id for entry in self._oldest_first(entity)]

    def add_ml_repo(self, name: str | None = None) -> str:
        """Add an ML repo, with a generated name by default; its id is the next number as text."""
        with self._lock:
            number = next(self._repo_numbers)
            name = name or self._factory.repo_name(number)
            return self._add(ML_REPOS, self._factory.ml_repo(str(number + 1), name, self._clock()))

    def add_model(self, ml_repo_id: str, name: str | None = None) -> str:
        """Add a model without versions, with a generated name by default."""
        with self._lock:
            ml_repo = json.loads(self._entry(ml_repo_id, ML_REPOS).text)
            name = name or self._factory.model_name(next(self._model_numbers))
            return self._add(MODELS, self._factory.model(ml_repo, name, self._clock()))

    def add_version(self, model_id: str, *, metrics: int = 3, touch: bool = True) -> str:
        """Add the next version of a model, with a number that no version had before."""
        with self._changing(model_id, MODELS, touch=touch) as model:
            self._last_version[model_id] += 1
            version = self._factory.version(model, self._last_version[model_id], self._clock(), metrics)
            if version["manifest"]["step"]:
                model["run_steps"].append(version["manifest"]["step"])
            return self._add(MODEL_VERSIONS, version)

    def set_tags(self, version_id: str, tags: list[str] | None, *, touch: bool = True) -> None:
        """Replace the tags of a version."""
        with self._changing(version_id, MODEL_VERSIONS, touch=touch) as version:
            version["tags"] = tags

    def set_alias(self, version_id: str, alias: str | None, *, touch: bool = True) -> None:
        """Set the alias of a version."""
        with self._changing(version_id, MODEL_VERSIONS, touch=touch) as version:
            version["manifest"]["version_alias"] = alias

    def set_description(self, version_id: str, description: str | None, *, touch: bool = True) -> None:
        """Set the description of a version."""
        with self._changing(version_id, MODEL_VERSIONS, touch=touch) as version:
            version["manifest"]["description"] = description

    def set_framework(self, version_id: str, framework: Record | None, *, touch: bool = True) -> None:
        """Set the framework of a version."""
        with self._changing(version_id, MODEL_VERSIONS, touch=touch) as version:
            version["manifest"]["framework"] = framework

    def add_metric(
        self, version_id: str, key: str, value: float | None, *, step: float | None = None, touch: bool = True
    ) -> None:
        """Log a value of a metric of a version."""
        with self._changing(version_id, MODEL_VERSIONS, touch=touch) as version:
            logged = metric(key, value, self._clock(), step)
            version["metrics"] = [*(version["metrics"] or []), logged]

    def set_fields(self, id: str, fields: Record, *, touch: bool = True) -> None:
        """Set any fields of a record, also unknown ones."""
        with self._changing(id, touch=touch) as record:
            record.update(fields)

    def touch(self, id: str) -> None:
        """Update only `updated_at` of a model, or of a version and its model."""
        with self._changing(id, touch=True):
            pass

    def put_raw(self, entity: str, id: str, record: Any) -> None:
        """Serve `record` verbatim, instead of the record `id` or as a new one.

        It may be any JSON value: with wrong types, without an id or with that of another, with NaN and lone
        surrogates. Bytes are served as they are, as JSON text. A raw model does not get its latest version
        embedded: use `set_fields` to change single fields.
        """
        text = record if isinstance(record, bytes) else dumps(record)
        with self._lock:
            old = self._entries[entity].get(id)
            if old:
                self._drop(old)
            number = old.number if old else next(self._numbers)
            facets = filter_fields(json.loads(text))
            self._put(StoredRecord(entity=entity, id=id, number=number, text=text, raw=True, **facets))

    def delete_version(self, id: str, *, touch: bool = True) -> None:
        """Delete a version; `touch` updates `updated_at` of its model."""
        with self._lock:
            version = self._entry(id, MODEL_VERSIONS)
            self._delete(id, [version])
            if touch and version.model_id in self._entries[MODELS]:
                self.touch(version.model_id)

    def delete_model(self, id: str) -> None:
        """Delete a model with its versions."""
        with self._lock:
            self._delete(id, [self._entry(id, MODELS), *self._versions[id].values()])

    def delete_ml_repo(self, id: str) -> None:
        """Delete an ML repo with its models and versions."""
        with self._lock:
            inside = (e for entity in (MODELS, MODEL_VERSIONS) for e in self._entries[entity].values())
            self._delete(id, [self._entry(id, ML_REPOS), *(e for e in inside if e.ml_repo_id == id)])

    def restore(self, id: str) -> None:
        """Restore a deleted record, with the records that were deleted with it."""
        with self._lock:
            if id not in self._deleted:
                raise NoSuchRecord(f"No deleted record has the id {id!r}.")
            for entry in self._deleted.pop(id):
                self._put(entry)

    def _entry(self, id: str, entity: str | None = None) -> StoredRecord:
        for kind in (entity,) if entity else ENTITIES:
            if id in self._entries[kind]:
                return self._entries[kind][id]
        raise NoSuchRecord(f"No record of {entity or 'any kind'} has the id {id!r}.")

    def _add(self, entity: str, record: Record) -> str:
        record_id: str = record["id"]
        number = next(self._numbers)
        self._put(StoredRecord(entity=entity, id=record_id, number=number, text=dumps(record), **filter_fields(record)))
        return record_id

    def _put(self, entry: StoredRecord) -> None:
        self._entries[entry.entity][entry.id] = entry
        if entry.entity == MODEL_VERSIONS:
            self._versions[entry.model_id][entry.id] = entry
        self._lists.clear()

    def _drop(self, entry: StoredRecord) -> None:
        del self._entries[entry.entity][entry.id]
        if entry.entity == MODEL_VERSIONS:
            del self._versions[entry.model_id][entry.id]
        self._lists.clear()

    def _delete(self, id: str, entries: list[StoredRecord]) -> None:
        for entry in entries:
            self._drop(entry)
        self._deleted[id] = entries

    @contextmanager
    def _changing(self, id: str, entity: str | None = None, *, touch: bool) -> Iterator[Record]:
        """Yield a record to edit, then store it; `touch` updates `updated_at` of it and of its model."""
        with self._lock:
            entry = self._entry(id, entity)
            record = json.loads(entry.text)
            yield record
            if touch:
                record["updated_at"] = format_time(self._clock())
            self._drop(entry)
            self._put(replace(entry, text=dumps(record), **filter_fields(record)))
            if touch and entry.model_id in self._entries[MODELS]:
                self.touch(entry.model_id)

    def _served(self, entry: StoredRecord) -> bytes:
        if entry.entity != MODELS or entry.raw:
            return entry.text
        versions = self._versions.get(entry.id)
        latest = max(versions.values(), key=lambda version: version.number).text if versions else b"null"
        return b'%b,"latest_version":%b}' % (entry.text[:-1], latest)

    def _oldest_first(self, entity: str) -> list[StoredRecord]:
        return sorted(self._entries[entity].values(), key=lambda entry: entry.number)

    def _ordered(self, entity: str, filters: Filters) -> list[StoredRecord]:
        if self.order == "shuffled":
            rows = list(self._matching(entity, filters))
            self._shuffling.shuffle(rows)
            return rows
        asked = (entity, self.order, tuple(sorted(filters.items())))
        if asked not in self._lists:
            key, reverse = ORDERS[self.order]
            self._lists[asked] = sorted(self._matching(entity, filters), key=key, reverse=reverse)
        return self._lists[asked]

    def _matching(self, entity: str, filters: Filters) -> Iterable[StoredRecord]:
        rows: Iterable[StoredRecord] = self._entries[entity].values()
        if entity == MODEL_VERSIONS and "model_id" in filters:
            rows = [version for model in filters["model_id"] for version in self._versions.get(model, {}).values()]
        if entity == MODELS and filters.get("include_empty_models") == ("false",):
            rows = [model for model in rows if self._versions.get(model.id)]
        if entity == MODELS and "run_id" in filters:
            rows = [model for model in rows if self._has_run(model, filters["run_id"])]
        return (entry for entry in rows if entry.passes(filters))

    def _has_run(self, model: StoredRecord, run_ids: tuple[str, ...]) -> bool:
        return any(version.run_id in run_ids for version in self._versions.get(model.id, {}).values())
