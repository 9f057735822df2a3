"""Prepared queries of the views. The text of each says what an empty parameter means."""

from typing import NamedTuple

from etl.models.queries import shipped_query


class Query(NamedTuple):
    """A query; its name is part of its URL."""

    name: str
    title: str
    about: str
    sql: str


QUERIES = (
    Query(
        "in_production",
        "What is in production, and since when?",
        "ml_repo: name of an ML repo; empty for all. If since_is_exact is 0, since_at is when it was first seen.",
        """\
SELECT ml_repo_name, model_name, version, tag, since_at, since_is_exact, created_by, framework_type, python_version
FROM production_versions
WHERE :ml_repo IN ('', ml_repo_name)
ORDER BY ml_repo_name, model_name, version""",
    ),
    Query(
        "tags_at",
        "Which version carried which tag at a time?",
        "at: a time in UTC, such as 2026-05-01 or 2026-05-01 12:30; empty for now. tag: one tag; empty for all.",
        """\
SELECT tag, ml_repo_name, model_name, version, valid_from, valid_from_is_exact, valid_to
FROM tag_history
WHERE :tag IN ('', tag)
  AND valid_from <= strftime('%Y-%m-%d %H:%M:%f', COALESCE(NULLIF(:at, ''), 'now'))
  AND (valid_to IS NULL OR valid_to > strftime('%Y-%m-%d %H:%M:%f', COALESCE(NULLIF(:at, ''), 'now')))
ORDER BY tag, ml_repo_name, model_name, version""",
    ),
    Query(
        "registry_at",
        "Which versions were there at a time, under which tags?",
        "at: a time in UTC, such as 2026-05-01 or 2026-05-01 12:30.",
        shipped_query("as_of", "sqlite"),
    ),
    Query(
        "stale_for_days",
        "Which models have had no version for a number of days?",
        "days: 180 if empty. Empty models come last.",
        """\
SELECT ml_repo_name, model_name, created_by, version_count, last_version_at, days_since_last_version
FROM model_activity
WHERE days_since_last_version IS NULL
   OR days_since_last_version > CAST(COALESCE(NULLIF(:days, ''), '180') AS INTEGER)
ORDER BY days_since_last_version DESC, ml_repo_name, model_name""",
    ),
    Query(
        "undocumented",
        "Which models lack a description, a creator or tags?",
        "ml_repo: name of an ML repo; empty for all.",
        """\
SELECT ml_repo_name, model_name, created_by, has_description, has_creator, has_tags, is_empty, created_at
FROM undocumented_models
WHERE :ml_repo IN ('', ml_repo_name)
ORDER BY ml_repo_name, model_name""",
    ),
    Query(
        "versions_with_package",
        "Which versions require a package?",
        "package: its name, such as scikit-learn.",
        """\
SELECT ml_repo_name, model_name, version, is_latest, requirement
FROM package_usage
WHERE name = REPLACE(REPLACE(LOWER(TRIM(:package)), '_', '-'), '.', '-')
ORDER BY specifier, ml_repo_name, model_name, version""",
    ),
    Query(
        "best_versions",
        "Which versions are best by a metric?",
        "metric: its name, such as auc. less_is_better: 1 to list the smallest values first.",
        """\
SELECT position, rank_ascending, value, ml_repo_name, model_name, version
FROM metric_leaderboard
WHERE key = :metric
ORDER BY CASE :less_is_better WHEN '1' THEN rank_ascending ELSE position END, ml_repo_name, model_name, version
LIMIT 100""",
    ),
    Query(
        "what_became_worse",
        "Which metrics fell from one version to the next?",
        "metric: its name; empty for all. The largest relative falls come first.",
        """\
SELECT key, ml_repo_name, model_name, from_version, to_version, from_value, to_value, change, relative_change
FROM metric_changes
WHERE change < 0 AND :metric IN ('', key)
ORDER BY relative_change
LIMIT 500""",
    ),
    Query(
        "what_changed",
        "What changed recently?",
        "days: 30 if empty. model: name of a model; empty for all.",
        """\
SELECT observed_at, model_name, version, kind, field, old_value, new_value
FROM model_timeline
WHERE :model IN ('', model_name)
  AND observed_at >= strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || COALESCE(NULLIF(:days, ''), '30') || ' days')
ORDER BY observed_at DESC, model_name, version""",
    ),
    Query(
        "growth_by_month",
        "How many models and versions were created in each month?",
        "Without deleted ones.",
        """\
SELECT SUBSTR(day, 1, 7) AS month, SUM(models_created) AS models, SUM(versions_created) AS versions
FROM growth
GROUP BY month
ORDER BY month DESC""",
    ),
)
