"""Pure: the wording of warnings about lists."""

from typing import Any

from etl.source import Listing, ListingRead


def why_unproven(reading: ListingRead) -> str:
    """Say why a list is not proven complete."""
    if reading.repeats:
        why = "is the same page at every offset: the server ignores `offset`, or serves a sample"
    else:
        sweeps = "1 sweep" if reading.sweeps == 1 else f"{reading.sweeps} sweeps"
        why = f"could not be proven complete in {sweeps}: it moves, or the server answers unsteadily"
    return f"{named(reading.listing)} {why}. What was read is stored, and nothing is deleted."


def named(listing: Listing) -> str:
    """Name a list, with its filters."""
    filters = " and ".join(f"{name}={value}" for name, value in listing.filters)
    return f"The list of {listing.endpoint}{' with ' if filters else ''}{filters}"


def described(ml_repo: dict[str, Any]) -> str:
    """Return an ML repo's id, with its name if it has one."""
    manifest = ml_repo.get("manifest")
    name = manifest.get("name") if isinstance(manifest, dict) else None
    return f"{ml_repo.get('id')} ({name})" if name else str(ml_repo.get("id"))
