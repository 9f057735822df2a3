"""Packages that the environment of a version installs with pip."""

from functools import lru_cache

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from etl.records.fields import get_field, indexed
from etl.records.rows import Json, PackageRow

_MOST_CACHED = 500
"""Longest requirement that is kept with its parts."""


def package_rows(version_id: str, manifest: Json) -> list[PackageRow]:
    """A row for each requirement that is text; the manifest, stored whole, keeps the others."""
    listed = get_field(get_field(manifest, "environment"), "pip_packages")
    return [
        PackageRow(version_id, position, requirement, *_parse(requirement))
        for position, requirement in enumerate(listed if isinstance(listed, list) else ())
        if isinstance(requirement, str)
    ]


def _parse(requirement: str) -> tuple[str | None, str | None, str | None]:
    """Normalized name, version specifier and pinned version; all None if pip could not parse the requirement."""
    return _parsed(requirement) if len(requirement) <= _MOST_CACHED else _parsed.__wrapped__(requirement)


@lru_cache(maxsize=8192)
def _parsed(requirement: str) -> tuple[str | None, str | None, str | None]:
    try:
        parsed = Requirement(requirement)
        return indexed(canonicalize_name(parsed.name)), str(parsed.specifier), _pinned(parsed)
    except (ValueError, RecursionError):  # InvalidRequirement is a ValueError; endless digits or brackets fail, too
        return None, None, None


def _pinned(requirement: Requirement) -> str | None:
    """The only version that the requirement allows; None if it allows several."""
    exact = (each.version for each in requirement.specifier if each.operator in {"==", "==="})
    return min((version for version in exact if not version.endswith(".*")), default=None)
