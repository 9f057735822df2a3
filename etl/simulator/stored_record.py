"""One record of the registry: its JSON text, and the little of it that lists are sorted and filtered by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ML_REPOS, MODELS, MODEL_VERSIONS = "ml-repos", "models", "model-versions"
ENTITIES = (ML_REPOS, MODELS, MODEL_VERSIONS)

Filters = Mapping[str, tuple[str, ...]]
"""Query parameter to the values asked for; a record passes when it has one of them."""

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
    """A record as it is served, a `raw` one verbatim.

    `number` is its place in the order of creation, `moved_at` in that of recency.
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
        """Whether the record has, for each filter its listing knows, one of the values asked for."""
        for parameter, facet in _FACETS[self.entity].items():
            wanted = filters.get(parameter)
            if wanted is None:
                continue
            value = getattr(self, facet)
            if not any(one in value if facet == "tags" else one == value for one in wanted):
                return False
        return True


def filter_fields(record: Any) -> dict[str, Any]:
    """The fields of an Entry that its record decides; a raw record need not even be an object."""
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
    """A step in the one spelling that filters compare: 5, 5.0 and "5.0" are the same step."""
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
"""Sort key and whether it is reversed, by the name of the order."""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
