"""SQL queries with parameters that a view cannot take, for analysts: the registry as it was at a moment.

Each query is a file. A few parts differ between SQLite and PostgreSQL, such as the way to read a moment;
`shipped_query` puts them in. The result is one statement that any client of that database runs.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple


class ShippedQuery(NamedTuple):
    """A query: its name, what it answers, and its parameters."""

    name: str
    answers: str
    parameters: tuple[str, ...]


QUERIES: Mapping[str, ShippedQuery] = {
    each.name: each
    for each in (
        ShippedQuery("as_of", "Versions at a moment, with number, alias and tags", ("at",)),
        ShippedQuery("models_as_of", "Models at a moment, with the number of their versions", ("at",)),
        ShippedQuery("production_as_of", "Versions in production at a moment, and since when", ("at",)),
        ShippedQuery(
            "version_as_of",
            "Description, tags, packages, metrics, metadata and manifest of a version at a moment",
            ("at", "model", "version"),
        ),
    )
}
"""The queries by name. The parameter `at` takes any ISO 8601 form of a calendar or week date, by default in UTC."""

HISTORY_START = """\
SELECT MAX(at) AS history_start
FROM (
    SELECT MIN(started_at) AS at FROM sync_runs WHERE complete
    UNION ALL
    SELECT MAX(newest_change_at) FROM pruned_history
) starts"""
"""A query for the moment since which history is known, NULL before the first complete run.

It is the start of that run, or when the newest change that was pruned had been found. The state before is unknown."""

_RECORDED = (
    "CASE WHEN field LIKE 'metrics.%' AND {0} NOT IN ('null', 'NaN', 'Infinity', '-Infinity') THEN {1} ELSE {0} END"
)
_PARTS: Mapping[str, Mapping[str, str]] = {
    "sqlite": {
        # The shortest text of the same double, as PostgreSQL writes it. Only %! writes more than 16 digits.
        "metric_as_text": "CASE WHEN value IS NULL THEN NULL "
        "WHEN CAST(printf('%.15g', value) AS REAL) = value THEN printf('%.15g', value) "
        "WHEN CAST(printf('%!.16g', value) AS REAL) = value THEN printf('%!.16g', value) "
        "ELSE printf('%!.17g', value) END",
        "metric_group": "CASE WHEN value IS NOT NULL THEN printf('%.15g', value) END",
        # Recorded values are the shortest texts already, but for their zeros.
        "as_number": "CASE WHEN CAST(printf('%.15g', CAST({0} AS REAL)) AS REAL) = CAST({0} AS REAL) "
        "THEN printf('%.15g', CAST({0} AS REAL)) ELSE {0} END",
        "as_group": "printf('%.15g', CAST({0} AS REAL))",
    },
    "postgresql": {
        "metric_as_text": "CAST(value AS TEXT)",
        "metric_group": "CAST(value AS TEXT)",
        "as_number": "CAST(CAST({0} AS DOUBLE PRECISION) AS TEXT)",
        "as_group": "CAST(CAST({0} AS DOUBLE PRECISION) AS TEXT)",
    },
}


_FIELDS: Mapping[str, tuple[str, str, str, str]] = {
    "name_of_model": ("models", "m.id", "name", "m.name"),
    "ml_repo_of_model": ("models", "m.id", "ml_repo_id", "m.ml_repo_id"),
    "number_of_version": ("model_versions", "v.id", "version", "CAST(v.version AS TEXT)"),
    "alias_of_version": ("model_versions", "v.id", "version_alias", "v.version_alias"),
    "ml_repo_of_version": ("model_versions", "v.id", "ml_repo_id", "v.ml_repo_id"),
    "name_of_ml_repo": ("ml_repos", "r.id", "name", "r.name"),
}
"""Fields as they were: table, id, field, and the value of now."""

_FIELD_THEN = """NULLIF(COALESCE((
            SELECT COALESCE(c.old_value, '␛')
            FROM changes c
            WHERE c.entity = '{0}' AND c.entity_id = {1} AND c.kind = 'updated' AND c.field = '{2}'
              AND c.observed_at > (SELECT at FROM moment)
            ORDER BY c.id
            LIMIT 1
        ), {3}), '␛')"""
_LIFE_AFTER = """COALESCE((
              SELECT c.kind
              FROM changes c
              WHERE c.entity = '{0}' AND c.entity_id = {1} AND c.kind IN ('created', 'deleted', 'restored')
                AND c.observed_at > (SELECT at FROM moment)
              ORDER BY c.id
              LIMIT 1
          ), '')"""


def shipped_query(name: str, dialect: str) -> str:
    """Return the SQL of a query for `sqlite` or `postgresql`. Its parameters are `:at` and so on."""
    parts = dict(_PARTS[dialect])
    as_number, as_group = parts.pop("as_number"), parts.pop("as_group")
    for column in ("old_value", "new_value"):
        parts[f"recorded_value_of_{column}"] = _RECORDED.format(column, as_number.format(column))
        parts[f"recorded_group_of_{column}"] = _RECORDED.format(column, as_group.format(column))
    for part in ("moment", "leaves"):
        parts[part] = _read(f"shared/{part}_{dialect}.sql").format()
    parts |= {part: _FIELD_THEN.format(*field) for part, field in _FIELDS.items()}
    parts["life_of_model"] = _LIFE_AFTER.format("models", "m.id")
    parts["life_of_version"] = _LIFE_AFTER.format("model_versions", "v.id")
    parts["then"] = _read("shared/then.sql").format(**parts)
    return _read(f"{name}.sql").format(**parts)


def _read(path: str) -> str:
    return files(__name__).joinpath(path).read_text(encoding="utf-8").rstrip()
