"""A change as an object for programs."""

from datetime import UTC
from typing import Any

from etl.changes.named_change import NamedChange
from etl.changes.sentences import Sanitizer, name, sentence


def as_json(change: NamedChange, clean: Sanitizer) -> dict[str, Any]:
    """Return the change with its names, its sentence and its full values; `clean` sanitizes all text."""
    fields: dict[str, Any] = {
        "run_id": change.run_id,
        "observed_at": change.observed_at and change.observed_at.astimezone(UTC).isoformat(),
        "entity": change.entity,
        "id": change.id,
        "name": name(change, clean),
        "model": change.model,
        "version": change.version,
        "ml_repo": change.ml_repo,
        "kind": change.kind,
        "field": change.field,
        "old": change.old,
        "new": change.new,
        "sentence": sentence(change, clean),
    }
    return {key: clean(value) if isinstance(value, str) else value for key, value in fields.items()}
