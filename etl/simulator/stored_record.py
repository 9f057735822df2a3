"""A record of the registry: its JSON text, and the fields that lists sort and filter by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ML_REPOS, MODELS, MODEL_VERSIONS = "ml-repos", "models", "model-versions"
ENTITIES = (ML_REPOS, MODELS, MODEL_VERSIONS)

Filters = Mapping[str, tuple[str, ...]]
"""Query parameters with their values; a record passes if it has one of the values of each."""

_FACETS = {
    ML_REPOS: {"name": "name"},
    MODELS: {"fqn": "fqn", "ml_repo_id": "ml_repo_id", "name": "name"},
    MODEL_VERSIONS: {
        "tag": "tags",
        "fqn": "fqn",
        "model_id": "model_id",
        "ml_repo_id": "ml_repo_id",
        "name": "name",
        "version": "version",
        "run_ids": "run_id",
        "run_steps": "step",
    },
}


@dataclass(slots=True, kw_only=True)
class StoredRecord:
    """A record as it is served, verbatim if it is `raw`.

    `number` is its position in the order of creation. `recency` is the time of its last change.
    """

    entity: str
    id: str
    number: int
    text: bytes
    raw: bool = False
    ml_repo_id: str = ""
    model_id: str = ""
    name: str = ""
    fqn: str = ""
    version: str = ""
    run_id: str = ""
    step: str = ""
    tags: tuple[str, ...] = ()
    recency: str = ""

    def passes(self, filters: Filters) -> bool:
        """Return whether the record matches all filters that its list supports."""
        for parameter, facet in _FACETS[self.entity].items():
            wanted = filters.get(parameter)
            if wanted is None:
                continue
            value = getattr(self, facet)
            if not any(one in value if facet == "tags" else one == value for one in wanted):
                return False
        return True


def filter_fields(record: Any) -> dict[str, Any]:
    """Extract the fields to sort and filter by; a raw record may be any JSON value."""
    top = _object(record)
    manifest = _object(top.get("manifest"))
    tags = top.get("tags")
    return {
        "ml_repo_id": _text(top.get("ml_repo_id")),
        "model_id": _text(top.get("model_id")),
        "name": _text(top.get("name")) or _text(manifest.get("name")),
        "fqn": _text(top.get("fqn")),
        "version": _text(manifest.get("version")),
        "run_id": _text(manifest.get("run_id")),
        "step": step_text(manifest.get("step")),
        "tags": tuple(map(_text, tags)) if isinstance(tags, list) else (),
        "recency": _text(top.get("updated_at")) or _text(top.get("created_at")),
    }


def step_text(step: Any) -> str:
    """Normalize a step for filters: 5, 5.0 and "5.0" are the same step."""
    try:
        return f"{float(step):g}"
    except (TypeError, ValueError, OverflowError):
        return ""


ORDERS: dict[str, tuple[Callable[[StoredRecord], Any], bool]] = {
    "created": (lambda entry: entry.number, False),
    "created_desc": (lambda entry: entry.number, True),
    "name": (lambda entry: (entry.name, entry.number), False),
    "recent": (lambda entry: (entry.recency, entry.number), True),
}
"""Sort key of each order, and whether it is reversed."""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
