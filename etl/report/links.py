"""Links to the control plane's page of a model. Pure."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from etl.report.data import Row

_UNUSABLE = frozenset({None, "", ".", ".."})  # browsers take dots for folders

ModelUrlFunction = Callable[[Row], str | None]


def model_links(
    template: str | None, repo_ids: Mapping[str, str | None], redact: Callable[[str], str]
) -> ModelUrlFunction:
    """Return a function from a row with a model to the URL of its page.

    The URL is None without a template, and if a value of it is unknown or contains a secret.
    """

    def link(row: Row) -> str | None:
        if template is None:
            return None
        values: dict[str, Any] = {
            "model": row["model_name"],
            "model_id": row["model_id"],
            "ml_repo": row["ml_repo_name"],
            "ml_repo_id": repo_ids.get(row["model_id"]),
        }
        used = {name: value for name, value in values.items() if f"{{{name}}}" in template}
        if any(value in _UNUSABLE or redact(value) != value for value in used.values()):
            return None
        # Quoted, no value can add a part to the URL, or end it.
        return template.format_map({name: quote(value, safe="", errors="replace") for name, value in used.items()})

    return link
