-- Every live model with the days since its last version.
WITH live_versions AS (
    SELECT v.model_id, COUNT(*) AS version_count, MAX(COALESCE(v.created_at, v.first_seen_at)) AS last_version_at
    FROM model_versions v
    WHERE v.deleted_at IS NULL
    GROUP BY v.model_id
)
SELECT
    m.id AS model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    COALESCE(s.display_name, s.slug, m.created_by_id) AS created_by,
    m.created_at,
    COALESCE(n.version_count, 0) AS version_count,
    n.last_version_at,
    {days_since_last_version} AS days_since_last_version,
    {days_since_last_activity} AS days_since_last_activity
FROM models m
LEFT JOIN live_versions n ON n.model_id = m.id
LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
LEFT JOIN subjects s ON s.id = m.created_by_id
WHERE m.deleted_at IS NULL
