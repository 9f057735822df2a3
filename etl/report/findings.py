"""What needs attention, worst first: each finding with its severity, its advice and its list. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from etl.report.data import LISTED, MIN_VERSIONS_BEHIND, ProductionModel, ProductionVersion, ReportData, Row
from etl.report.formatting import number, plural
from etl.report.python_support import is_end_of_life


class Severity(StrEnum):
    """How much a finding matters; the page shows the word, and a colour for it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class FindingRow(NamedTuple):
    """A row of the list of a finding."""

    model: Row
    version: int | None
    detail: str | None
    at: datetime | None
    in_production: bool = True
    at_is_exact: bool = True


class Finding(NamedTuple):
    """A finding: how many, of what, what to do, and the list of them, which may be cut.

    `view` has the whole list: the rows that meet `condition`. `detail` and `at` are the headings of two columns.
    `elsewhere` counts the records that another section of the page shows instead of a list.
    """

    anchor: str
    severity: Severity
    total: int
    what: str
    advice: str
    detail: str
    at: str
    rows: list[FindingRow]
    view: str
    condition: str
    elsewhere: int = 0

    @property
    def shown(self) -> int:
        """The number of records that the page shows."""
        return len(self.rows) or self.elsewhere

    @property
    def marks_production(self) -> bool:
        """Whether some, and not all, of its models are in production."""
        return 0 < sum(each.in_production for each in self.rows) < len(self.rows)

    @property
    def left_out(self) -> int:
        """The number of rows that the list lacks."""
        return self.total - self.shown


def findings(data: ReportData) -> list[Finding]:
    """Return the findings, those that matter most first."""
    found = [each for look in (_of_versions, _of_production, _of_models) for each in look(data) if each.total]
    return sorted(found, key=lambda each: list(Severity).index(each.severity))


def _of_versions(data: ReportData) -> Iterator[Finding]:
    today = data.made_at.date()
    versions = [(model, each) for model in data.production.models for each in model.current]
    old = [(model, each) for model, each in versions if is_end_of_life(each.row["python_version"], today)]
    unfit = [(model, each) for model, each in versions if each.row["deployable"] is False]
    since = "In production since"
    yield Finding(
        "list-python", Severity.HIGH, len(old),
        _of(len(old), "production version runs", "production versions run", "on a Python without security fixes"),
        "Rebuild them on a supported Python, then move the tag.",
        "Python", since, _listed(old, "python_version"),
        "production_versions", "python_version is out of support, one row for each label",
    )  # fmt: skip
    yield Finding(
        "list-deployable", Severity.HIGH, len(unfit),
        _of(len(unfit), "production version is", "production versions are", "not deployable by the control plane"),
        "To deploy them, log them again with a framework; otherwise remove the tag.",
        "Framework", since, _listed(unfit, "framework_type"),
        "production_versions", "deployable is false, one row for each label",
    )  # fmt: skip


def _of_production(data: ReportData) -> Iterator[Finding]:
    behind = sorted(
        (each for each in data.production.models if (each.behind or 0) >= MIN_VERSIONS_BEHIND), key=_by_distance
    )
    yield Finding(
        "list-behind", Severity.MEDIUM, len(behind),
        _of(len(behind), "model is", "models are", f"{MIN_VERSIONS_BEHIND} or more versions behind in production"),
        "Promote a newer version, or say in its description why the old one stays.",
        "In production", "Since",
        [_since(_newest(each), None, _distance(each)) for each in behind[:LISTED]],
        "production_models", f"versions_behind is at least {MIN_VERSIONS_BEHIND}",
    )  # fmt: skip
    worse = data.metrics.worse_in_production
    yield Finding(
        "metrics", Severity.MEDIUM, worse,
        _of(worse, "metric is", "metrics are", "worse in production than in the version before"),
        "Compare the two versions before the next promotion, or go back to the version before.",
        "", "", [], "metric_changes", "is_improvement is false",
        elsewhere=sum(row["in_production"] for row in data.metrics.worse.rows),
    )  # fmt: skip
    undescribed = data.quality.undescribed_in_production
    yield Finding(
        "list-undescribed", Severity.MEDIUM, undescribed.total,
        _of(undescribed.total, "model", "models", "in production without a description"),
        "Ask their creators for one sentence: what it predicts, from which data, for whom.",
        "Lacks", "Created", [_lacking(row) for row in undescribed.rows],
        "undocumented_models", "has_description is false and the model is in production, see production_models",
    )  # fmt: skip
    several = [each for each in data.production.models if len(each.current) > 1]
    yield Finding(
        "list-several", Severity.LOW, len(several),
        _of(len(several), "model has", "models have", "more than one version in production"),
        "Fine while a new version is on trial. Otherwise remove the tag from the old one.",
        "In production", "Since",
        [_since(each.current[0].row, None, _numbers(each)) for each in several[:LISTED]],
        "production_models", "production_versions is more than 1",
    )  # fmt: skip


_LACKS = (
    ("creator", "a creator", "has_creator is false", "Find an owner for them, or delete them."),
    (
        "description",
        "a description",
        "has_description is false",
        "Ask their creators for one sentence: what it predicts, from which data, for whom.",
    ),
    ("tags", "a tag", "has_tags is false", "A tag says what a version is for, and which one to use."),
    ("versions", "any version", "is_empty is true", "Often left over from a first try. Delete those nobody needs."),
)


def _of_models(data: ReportData) -> Iterator[Finding]:
    stale, days = data.quality.stale, data.stale_after.days
    yield Finding(
        "list-stale", Severity.MEDIUM, stale.total,
        _of(stale.total, "model", "models", f"without a new version for more than {number(days)} days"),
        "Ask their creators to retrain those in use and to delete the others.",
        "Age", "Last version", [_stale(row) for row in stale.rows],
        "model_activity", f"days_since_last_version is more than {days}",
    )  # fmt: skip
    for lack, what, lacks, advice in _LACKS:
        found, which, condition = data.quality.lacking[lack], f"without {what}", lacks
        if lack == "description":  # those in production have a finding of their own
            found, which = data.quality.undescribed_elsewhere, f"{which}, not in production"
            condition = f"{lacks} and the model is not in production, see production_models"
        yield Finding(
            f"list-{lack}", Severity.LOW, found.total, _of(found.total, "model", "models", which), advice,
            "Lacks", "Created", [_lacking(row) for row in found.rows], "undocumented_models", condition,
        )  # fmt: skip


def _of(count: int, one: str, many: str, rest: str) -> str:
    return f"{one if count == 1 else many} {rest}"


def _listed(found: Iterable[tuple[ProductionModel, ProductionVersion]], detail: str) -> list[FindingRow]:
    rows = [each.row for _, each in found][:LISTED]
    return [_since(row, row["version"], row[detail]) for row in rows]


def _since(row: Row, version: int | None, detail: str | None) -> FindingRow:
    """Return the row of a version in production, with the time since when."""
    return FindingRow(row, version, detail, row["since_at"], at_is_exact=row["since_is_exact"])


def _newest(model: ProductionModel) -> Row:
    """Return the row of the version with the largest number."""
    return max((each.row for each in model.versions), key=lambda row: -1 if row["version"] is None else row["version"])


def _by_distance(model: ProductionModel) -> tuple[int, str]:
    return -(model.behind or 0), model.model_name or ""


def _distance(model: ProductionModel) -> str:
    return f"v{_newest(model)['version']}, and v{model.latest_version} is the latest"


def _numbers(model: ProductionModel) -> str:
    numbers = sorted(each.row["version"] for each in model.current if each.row["version"] is not None)
    return ", ".join(f"v{each}" for each in numbers)


def _stale(row: Row) -> FindingRow:
    age = plural(int(row["days_since_last_version"]), "day")
    return FindingRow(row, None, age, row["last_version_at"], in_production=row["in_production"])


def _lacking(row: Row) -> FindingRow:
    present = {"description": "has_description", "creator": "has_creator", "tags": "has_tags"}
    lacks = [word for word, name in present.items() if not row[name]] + ["versions"] * bool(row["is_empty"])
    return FindingRow(row, None, ", ".join(lacks), row["created_at"], in_production=row["in_production"])
