"""Pure: the wording of warnings and errors about lists."""

from collections.abc import Iterable, Sequence
from typing import Any

from etl.errors import UnknownMlRepo
from etl.source import Listing


def list_label(listing: Listing) -> str:
    """Name a list, with its filters."""
    filters = " and ".join(f"{name}={value}" for name, value in listing.filters)
    return f"The list of {listing.endpoint}{' with ' if filters else ''}{filters}"


def ml_repo_label(ml_repo: dict[str, Any]) -> str:
    """Return an ML repo's id, with its name if it has one."""
    manifest = ml_repo.get("manifest")
    name = manifest.get("name") if isinstance(manifest, dict) else None
    return f"{ml_repo.get('id')} ({name})" if name else str(ml_repo.get("id"))


def unknown_ml_repos(unknown: Sequence[str], listed: Iterable[str]) -> UnknownMlRepo:
    """Return the error about ML repos that are not listed, with the labels of some that are."""
    some = ", ".join(list(listed)[:10]) or "none at all"
    message = f"The control plane knows no ML repo of the id {unknown[0]!r}: it lists {some}."
    return UnknownMlRepo(message, ml_repos=tuple(unknown))
