"""Shares of the registry: documentation, Python, packages, frameworks and base models. Pure."""

from collections import Counter, defaultdict
from typing import NamedTuple

from etl.report.data import NAMES, REQUIRED_PROPERTIES, ReportData, Row
from etl.report.python_support import is_end_of_life, minor_of, support

_SPECIFIERS = 3


class Share(NamedTuple):
    """A part of a whole."""

    name: str | None
    part: int
    whole: int

    @property
    def width(self) -> float:
        """The width of its bar, in percent."""
        return round(100 * self.part / self.whole, 1) if self.whole else 0.0


class Shares(NamedTuple):
    """The largest parts of a whole, how many others there are, and how many versions these have."""

    rows: list[Share]
    left_out: int
    versions_left_out: int


class PythonShare(NamedTuple):
    """A Python version: its share in production, and of all other versions."""

    name: str | None
    support: str
    is_bad: bool
    production: Share
    rest: Share


class PackageShare(NamedTuple):
    """A package: its share of the models that have a version, and the versions of it that are required most."""

    share: Share
    versions: int
    specifiers: list[tuple[str, int]]
    others: int


_HAVE = {"description": "a description", "creator": "a creator", "tags": "a tag", "versions": "a version"}


def documentation(data: ReportData) -> list[Share]:
    """Return the share of models that have a description, a creator, tags and versions."""
    models = data.counts["models"]
    without = {lack: data.quality.lacking[lack].total for lack in REQUIRED_PROPERTIES}
    return [Share(f"have {_HAVE[lack]}", models - without[lack], models) for lack in REQUIRED_PROPERTIES]


def pythons(data: ReportData) -> list[PythonShare]:
    """Return the Python versions, the newest first, with their shares in production and of the other versions."""
    today = data.made_at.date()
    everywhere: dict[str | None, int] = {row["name"]: row["versions"] for row in data.makeup.pythons}
    in_production = Counter[str | None]()
    for model in data.production.models:
        for each in model.current:
            if each.row["python_version"]:
                minor = minor_of(each.row["python_version"])
                in_production[minor if minor in everywhere else None] += 1
    rest = {name: max(count - in_production[name], 0) for name, count in everywhere.items()}
    totals = in_production.total(), sum(rest.values())

    def row(name: str | None) -> PythonShare:
        shares = Share(name, in_production[name], totals[0]), Share(name, rest[name], totals[1])
        return PythonShare(name, support(name, today), is_end_of_life(name, today), *shares)

    return [row(name) for name in sorted(everywhere, key=_newest_first)][:NAMES]


def _newest_first(minor: str | None) -> tuple[int, ...]:
    return tuple(-int(part) for part in minor.split(".")) if minor else (1,)


def packages(data: ReportData) -> list[PackageShare]:
    """Return the packages that most models require, each with its most frequent versions."""
    by_name: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in data.makeup.specifiers:
        by_name[row["name"]].append((row["specifier"] or "any", row["versions"]))
    whole = data.counts["models"] - data.quality.lacking["versions"].total
    return [
        PackageShare(
            Share(row["name"], row["models"], max(whole, row["models"])),
            row["versions"],
            by_name[row["name"]][:_SPECIFIERS],
            max(len(by_name[row["name"]]) - _SPECIFIERS, 0),
        )
        for row in data.makeup.packages.rows
    ]


def shares(rows: list[Row], whole: int) -> Shares:
    """Return the share of versions of the largest rows of a distribution."""
    rows = sorted(rows, key=lambda row: -row["versions"])
    others = rows[NAMES:]
    return Shares(
        [Share(row["name"], row["versions"], whole) for row in rows[:NAMES]],
        len(others),
        sum(row["versions"] for row in others),
    )


def creators(data: ReportData) -> Shares:
    """Return the share of versions in production by their creators."""
    counted = Counter(each.row["created_by"] for model in data.production.models for each in model.current)
    rows = [
        {"name": name, "versions": count} for name, count in sorted(counted.items(), key=lambda item: item[0] or "")
    ]
    return shares(rows, counted.total())


def metadata_keys(data: ReportData) -> Shares:
    """Return the share of models whose latest version has a key in its metadata."""
    found = data.makeup.metadata_keys
    whole = data.counts["models"] - data.quality.lacking["versions"].total
    rows = [Share(row["name"], row["versions"], max(whole, row["versions"])) for row in found.rows]
    return Shares(rows, found.total - len(rows), 0)
