-- Who created the live models and versions: people and service accounts.
WITH
created AS (
    SELECT created_by_id AS subject_id, 1 AS models, 0 AS versions, 0 AS production_versions, created_at
    FROM models
    WHERE deleted_at IS NULL
    UNION ALL
    SELECT created_by_id, 0, 1, 0, created_at FROM model_versions WHERE deleted_at IS NULL
    UNION ALL
    SELECT created_by_id, 0, 0, 1, NULL FROM (SELECT DISTINCT model_version_id, created_by_id FROM production_versions) p
),
by_subject AS (
    SELECT
        subject_id,
        SUM(models) AS models,
        SUM(versions) AS versions,
        SUM(production_versions) AS production_versions,
        MAX(created_at) AS last_created_at
    FROM created
    GROUP BY subject_id
)
SELECT
    CASE
        WHEN s.type = 'user' THEN 'person'
        WHEN s.type IN ('serviceaccount', 'virtualaccount') THEN 'service account'
        ELSE COALESCE(s.type, 'unknown')
    END AS author_kind,
    n.subject_id,
    COALESCE(s.display_name, s.slug, n.subject_id) AS display_name,
    n.models,
    n.versions,
    n.production_versions,
    n.last_created_at
FROM by_subject n
LEFT JOIN subjects s ON s.id = n.subject_id
