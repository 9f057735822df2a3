-- Every live model with the days since its last version.
-- A filter on one model passes into the grouping, because the grouping begins with the models.
WITH counted AS (
    SELECT
        m.id,
        m.name,
        m.ml_repo_id,
        m.created_by_id,
        m.created_at,
        m.first_seen_at,
        COUNT(v.id) AS version_count,
        MAX(COALESCE(v.created_at, v.first_seen_at)) AS last_version_at
    FROM models m
    LEFT JOIN model_versions v ON v.model_id = m.id AND v.deleted_at IS NULL
    WHERE m.deleted_at IS NULL
    GROUP BY m.id
)
SELECT
    n.id AS model_id,
    n.name AS model_name,
    r.name AS ml_repo_name,
    COALESCE(s.display_name, s.slug, n.created_by_id) AS created_by,
    n.created_at,
    n.version_count,
    n.last_version_at,
    {days_since_last_version} AS days_since_last_version,
    {days_since_last_activity} AS days_since_last_activity
FROM counted n
LEFT JOIN ml_repos r ON r.id = n.ml_repo_id
LEFT JOIN subjects s ON s.id = n.created_by_id
