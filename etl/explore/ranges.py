"""Ranges of versions of packages: whether a version is in one, and whether a requirement lies in one."""

from collections.abc import Iterator
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.version import InvalidVersion, Version

_LARGE = 999_999


def version_matches(version: str | None, text: str | None) -> int | None:
    """Return whether a version is in a range, as pip compares: 0 or 1; None if one is unknown or cannot be compared."""
    if version is None or text is None:
        return None
    try:
        return int(SpecifierSet(text).contains(Version(version), prereleases=True))
    except (InvalidSpecifier, InvalidVersion):
        return None


@lru_cache(maxsize=8192)
def range_overlap(specifier: str | None, text: str | None) -> str:
    """Return how much of what a requirement allows is in a range: `yes` for all, `no` for nothing, else `perhaps`.

    It compares the versions that both name, and one below and one above each of them. It is `perhaps` also if one of
    the two cannot be read.
    """
    if not text:
        return "yes"
    try:
        required, wanted = SpecifierSet(specifier or ""), SpecifierSet(text)
        samples = [Version("0"), Version(f"{_LARGE}"), *_boundaries(required), *_boundaries(wanted)]
        within = {_allows(wanted, each) for each in samples if _allows(required, each)}
    except ValueError:  # InvalidSpecifier and InvalidVersion are such; endless digits fail, too
        return "perhaps"
    if len(within) != 1:
        return "perhaps"
    return "yes" if within.pop() else "no"


def _allows(specifiers: SpecifierSet, version: Version) -> bool:
    """Return whether a version is in a range. Unlike for pip, a pre-release of 2.6 is below 2.6."""
    return all(_allows_one(each, version) for each in specifiers)


def _allows_one(specifier: Specifier, version: Version) -> bool:
    if specifier.operator == "<":
        return Version(version.public) < Version(specifier.version)
    if specifier.operator == ">":
        return Version(version.public) > Version(specifier.version)
    return specifier.contains(version, prereleases=True)


def _boundaries(specifiers: SpecifierSet) -> Iterator[Version]:
    """Yield each version that a range names, and its neighbours."""
    for each in specifiers:
        named = Version(each.version.removesuffix(".*"))
        yield named
        release = Version(named.base_version)
        yield from _around(release)
        if each.version.endswith(".*") or each.operator == "~=":
            # The range ends before the next number of this part: ==2.5.* before 2.6, and ~=2.4 before 3.
            part = release.release if each.version.endswith(".*") else release.release[:-1]
            yield from _around(_version(release.epoch, [*part[:-1], part[-1] + 1]))


def _around(release: Version) -> Iterator[Version]:
    """Yield a release, one just above it, and one just below it."""
    yield release
    yield _version(release.epoch, [*release.release, 0, 0, 1])
    numbers = [*release.release]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    if numbers:
        yield _version(release.epoch, [*numbers[:-1], numbers[-1] - 1, _LARGE])


def _version(epoch: int, numbers: list[int]) -> Version:
    return Version(f"{epoch}!{'.'.join(map(str, numbers))}")
