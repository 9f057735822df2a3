-- The last value of each metric of each version, if it is finite, ranked from both ends.
-- Ranking comes before the joins, so that a filter on `key` reaches latest_metrics.
WITH ranked AS (
    SELECT
        model_version_id,
        key,
        value,
        RANK() OVER (PARTITION BY key ORDER BY value DESC) AS position,
        RANK() OVER (PARTITION BY key ORDER BY value) AS rank_ascending
    FROM latest_metrics
    WHERE value IS NOT NULL
)
SELECT
    x.key,
    x.position,
    v.id AS model_version_id,
    v.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    v.version,
    x.value,
    x.rank_ascending
FROM ranked x
JOIN model_versions v ON v.id = x.model_version_id
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
