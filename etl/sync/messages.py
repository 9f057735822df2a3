"""Pure: the wording of warnings about lists."""

from typing import Any

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
