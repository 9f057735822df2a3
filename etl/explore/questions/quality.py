"""Questions about documentation, age, packages, metadata, storage and people."""

from etl.explore.questions.question import ML_REPO, PACKAGE, Parameter, Question, days

QUESTIONS = (
    Question(
        "stale_for_days",
        "Which models have had no version for more than a number of days?",
        """\
SELECT ml_repo_name, model_name, created_by, version_count, last_version_at, days_since_last_activity, model_id
FROM model_activity
WHERE days_since_last_activity > CAST(COALESCE(NULLIF(:days, ''), '180') AS INTEGER)
ORDER BY days_since_last_activity DESC, ml_repo_name, model_name""",
        (days("180 if empty."),),
        "The days of an empty model count from its creation.",
    ),
    Question(
        "undocumented",
        "Which models lack a description, a creator or tags?",
        """\
SELECT ml_repo_name, model_name, created_by, has_description, has_creator, has_tags, is_empty, created_at, model_id
FROM undocumented_models
WHERE :ml_repo IN ('', ml_repo_name)
ORDER BY ml_repo_name, model_name""",
        (ML_REPO,),
    ),
    Question(
        "versions_with_package",
        "Which versions require a package?",
        """\
SELECT ml_repo_name, model_name, version, is_latest, requirement, pinned_version, model_id, model_version_id
FROM package_usage
WHERE name = REPLACE(REPLACE(LOWER(TRIM(:package)), '_', '-'), '.', '-')
ORDER BY specifier, ml_repo_name, model_name, version""",
        (PACKAGE,),
    ),
    Question(
        "versions_with_metadata",
        "Which latest versions have a key or a value in their metadata?",
        """\
SELECT key, value, ml_repo_name, model_name, version, model_id, model_version_id
FROM version_metadata
WHERE is_latest AND :key IN ('', key) AND (:value = '' OR INSTR(LOWER(value), LOWER(:value)) > 0)
ORDER BY key, value, ml_repo_name, model_name""",
        (Parameter("key", "such as team; empty for all."), Parameter("value", "a part of it; empty for all.")),
    ),
    Question(
        "cleanup_by_model",
        "How much space would deleting versions free?",
        """\
WITH by_model AS (
    SELECT ml_repo_name, model_name, COUNT(*) AS versions, SUM(artifact_size_bytes) AS artifact_size_bytes,
           COUNT(*) - COUNT(artifact_size_bytes) AS versions_without_size, model_id
    FROM cleanup_candidates
    WHERE :ml_repo IN ('', ml_repo_name)
      AND days_since_created >= CAST(COALESCE(NULLIF(:days, ''), '0') AS INTEGER)
    GROUP BY model_id, ml_repo_name, model_name
),
total AS (
    SELECT NULL AS ml_repo_name, 'all models' AS model_name, SUM(versions) AS versions,
           SUM(artifact_size_bytes) AS artifact_size_bytes, SUM(versions_without_size) AS versions_without_size,
           NULL AS model_id
    FROM by_model
)
SELECT *
FROM (SELECT * FROM total WHERE versions > 0 UNION ALL SELECT * FROM by_model)
ORDER BY model_id IS NOT NULL, artifact_size_bytes DESC, versions DESC, ml_repo_name, model_name""",
        (days("the least age of the versions; 0 if empty."), ML_REPO),
        "Only versions that are neither the latest nor in production count. The first row is the total. "
        "The view cleanup_candidates lists the versions.",
    ),
    Question(
        "storage_of_each_month",
        "How did storage grow, month by month?",
        """\
SELECT month, SUM(versions_added) AS versions_added, SUM(versions_removed) AS versions_removed,
       SUM(SUM(versions_added) - SUM(versions_removed)) OVER (ORDER BY month) AS versions,
       SUM(bytes_added) AS bytes_added, SUM(bytes_removed) AS bytes_removed,
       SUM(SUM(COALESCE(bytes_added, 0)) - SUM(COALESCE(bytes_removed, 0))) OVER (ORDER BY month)
           AS artifact_size_bytes
FROM storage_by_month
WHERE :ml_repo IN ('', ml_repo_name)
GROUP BY month
ORDER BY month DESC""",
        (ML_REPO,),
        "versions and artifact_size_bytes are the totals at the end of the month. An unknown size counts as nothing.",
    ),
    Question(
        "creators_no_longer_named",
        "Which creators appear in no record any more?",
        """\
SELECT display_name, author_kind, models, versions, last_created_at, last_deleted_at, subject_id
FROM former_authors
ORDER BY last_deleted_at DESC, display_name""",
    ),
)
