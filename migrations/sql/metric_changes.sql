-- Each metric of a version compared with the previous version, by number, that has the metric too.
WITH
with_previous AS (
    SELECT
        l.model_id,
        v.ml_repo_id,
        l.key,
        v.version AS to_version,
        l.value AS to_value,
        LAG(v.version) OVER by_number AS from_version,
        LAG(l.value) OVER by_number AS from_value,
        MAX(ABS(l.value)) OVER (PARTITION BY l.model_id, l.key) AS largest
    FROM latest_metrics l
    JOIN model_versions v ON v.id = l.model_version_id
    WHERE l.value IS NOT NULL AND v.version IS NOT NULL
    WINDOW by_number AS (PARTITION BY l.model_id, l.key ORDER BY v.version, v.id)
),
-- PostgreSQL fails where a result exceeds the range of a double, so such results are NULL.
compared AS (
    SELECT
        w.*,
        CASE WHEN ABS(from_value) < 8e307 AND ABS(to_value) < 8e307 THEN to_value - from_value END AS change
    FROM with_previous w
    WHERE from_version IS NOT NULL
)
SELECT
    x.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    x.key,
    x.from_version,
    x.to_version,
    x.from_value,
    x.to_value,
    x.change,
    CASE
        WHEN ABS(x.from_value) > 1e-150 AND ABS(x.from_value) < 1e150 AND ABS(x.to_value) < 1e150
        THEN x.change / ABS(x.from_value)
    END AS relative_change,
    CASE WHEN x.largest > 1e-150 THEN x.change / x.largest END AS scaled_change,
    d.better,
    CASE
        WHEN x.to_value = x.from_value THEN NULL
        WHEN d.better = 'higher' THEN x.to_value > x.from_value
        WHEN d.better = 'lower' THEN x.to_value < x.from_value
    END AS is_improvement
FROM compared x
LEFT JOIN metric_directions d ON d.key = x.key
LEFT JOIN models m ON m.id = x.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(x.ml_repo_id, m.ml_repo_id)
