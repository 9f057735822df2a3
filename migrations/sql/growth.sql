-- Live models and versions by the day, in UTC, on which they were created.
WITH
created AS (
    SELECT ml_repo_id, created_at, 1 AS models, 0 AS versions FROM models WHERE deleted_at IS NULL
    UNION ALL
    SELECT COALESCE(v.ml_repo_id, m.ml_repo_id), v.created_at, 0, 1
    FROM model_versions v
    LEFT JOIN models m ON m.id = v.model_id
    WHERE v.deleted_at IS NULL
),
by_day AS (
    SELECT
        {day_of_creation} AS day,
        n.ml_repo_id,
        SUM(n.models) AS models_created,
        SUM(n.versions) AS versions_created
    FROM created n
    WHERE n.created_at IS NOT NULL
    GROUP BY {day_of_creation}, n.ml_repo_id
)
SELECT n.day, n.ml_repo_id, r.name AS ml_repo_name, n.models_created, n.versions_created
FROM by_day n
LEFT JOIN ml_repos r ON r.id = n.ml_repo_id
