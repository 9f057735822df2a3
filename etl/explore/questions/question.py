"""A question: a query with the fields of its form."""

from collections.abc import Callable
from typing import NamedTuple

from etl.durations import MOMENT_FORMS
from etl.explore import parameters


class Parameter(NamedTuple):
    """A field of a question's form: what it takes, and what its being empty means.

    `choices` selects what to offer. `read` returns the value for the query, or raises ValueError. `find` selects the
    records that are called `:text`, in any letter case: the value for the query, the name, and whether it is exact.
    `required` says what to do while the field is empty.
    """

    name: str
    about: str
    choices: str | None = None
    read: Callable[[str], str] | None = None
    find: str | None = None
    required: str = ""


class Question(NamedTuple):
    """A query; its name is part of its URL. Ids that it selects are the links of the names beside them."""

    name: str
    title: str
    sql: str
    parameters: tuple[Parameter, ...] = ()
    note: str = ""

    @property
    def about(self) -> str:
        """The parameters and the note in one text."""
        return " ".join([*(f"{each.name}: {each.about}" for each in self.parameters), self.note]).strip()


AT = Parameter(
    "at",
    f"{MOMENT_FORMS}, such as 2026-05-01 or 2026-05-01T12:30Z; empty for now.",
    read=parameters.stored_moment,
)
ML_REPO = Parameter(
    "ml_repo",
    "name of an ML repo; empty for all.",
    "SELECT DISTINCT name FROM ml_repos WHERE name IS NOT NULL AND deleted_at IS NULL ORDER BY name LIMIT 1000",
    find="SELECT name, name, name = :text FROM ml_repos WHERE LOWER(name) = LOWER(:text)",
)
MODEL = Parameter(
    "model",
    "name of a model, or ml_repo/model; empty for all.",
    "SELECT DISTINCT name FROM models WHERE name IS NOT NULL ORDER BY name LIMIT 1000",
    find="""\
SELECT m.id, COALESCE(m.name, m.id), :text IN (m.id, m.fqn, m.name, r.name || '/' || m.name)
FROM models m
LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
WHERE LOWER(:text) IN (LOWER(m.id), LOWER(m.fqn), LOWER(m.name), LOWER(r.name || '/' || m.name))""",
)
PACKAGE = Parameter(
    "package",
    "its name, such as scikit-learn.",
    "SELECT DISTINCT name FROM model_version_packages WHERE name IS NOT NULL ORDER BY name LIMIT 1000",
    parameters.package_name,
    "SELECT name, name, 1 FROM model_version_packages WHERE name = :text LIMIT 1",
    "Choose a package.",
)
METRIC = Parameter(
    "metric",
    "its name, such as auc.",
    "SELECT key FROM metric_directions ORDER BY key LIMIT 1000",
    find="SELECT key, key, key = :text FROM metric_directions WHERE LOWER(key) = LOWER(:text)",
    required="Choose a metric.",
)


def days(about: str) -> Parameter:
    """Return a field for a number of days."""
    return Parameter("days", f"a number, such as 7 or 7d; {about}", read=parameters.days)
