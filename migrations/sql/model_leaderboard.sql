-- The last value of each metric of each version, if it is finite, ranked among the versions of its model.
WITH ranked AS (
    SELECT
        model_id,
        model_version_id,
        key,
        value,
        RANK() OVER (PARTITION BY model_id, key ORDER BY value DESC) AS position,
        RANK() OVER (PARTITION BY model_id, key ORDER BY value) AS rank_ascending
    FROM latest_metrics
    WHERE value IS NOT NULL
)
SELECT
    x.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    x.key,
    v.id AS model_version_id,
    v.version,
    x.value,
    x.position,
    x.rank_ascending,
    d.better,
    CASE d.better WHEN 'higher' THEN x.position = 1 WHEN 'lower' THEN x.rank_ascending = 1 END AS is_best,
    COALESCE(m.latest_version_id = v.id, FALSE) AS is_latest
FROM ranked x
JOIN model_versions v ON v.id = x.model_version_id
LEFT JOIN metric_directions d ON d.key = x.key
LEFT JOIN models m ON m.id = x.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
