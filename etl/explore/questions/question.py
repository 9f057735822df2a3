"""A question: a query with the fields of its form."""

from typing import NamedTuple


class Parameter(NamedTuple):
    """A field of a question's form: what it takes, and what its being empty means. `choices` selects what to offer."""

    name: str
    about: str
    choices: str | None = None


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


AT = Parameter("at", "a time in ISO 8601, by default in UTC, or how long ago, such as 7d; empty for now.")
ML_REPO = Parameter(
    "ml_repo",
    "name of an ML repo; empty for all.",
    "SELECT DISTINCT name FROM ml_repos WHERE name IS NOT NULL AND deleted_at IS NULL ORDER BY name LIMIT 1000",
)
MODEL = Parameter(
    "model",
    "name of a model; empty for all.",
    "SELECT DISTINCT name FROM models WHERE name IS NOT NULL ORDER BY name LIMIT 1000",
)
PACKAGE = Parameter(
    "package",
    "its name, such as scikit-learn.",
    "SELECT DISTINCT name FROM model_version_packages WHERE name IS NOT NULL ORDER BY name LIMIT 1000",
)
METRIC_KEYS_SQL = "SELECT key FROM metric_directions ORDER BY key LIMIT 1000"
