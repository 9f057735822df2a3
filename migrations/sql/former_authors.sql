-- Subjects that no live ML repo, model or version names as its creator any more, with what they created.
WITH
created AS (
    SELECT created_by_id AS subject_id, 1 AS models, 0 AS versions, created_at, deleted_at FROM models
    UNION ALL
    SELECT created_by_id, 0, 1, created_at, deleted_at FROM model_versions
    UNION ALL
    SELECT created_by_id, 0, 0, created_at, deleted_at FROM ml_repos
),
by_subject AS (
    SELECT
        subject_id,
        SUM(models) AS models,
        SUM(versions) AS versions,
        MAX(created_at) AS last_created_at,
        MAX(deleted_at) AS last_deleted_at,
        COUNT(*) - COUNT(deleted_at) AS live
    FROM created
    WHERE subject_id IS NOT NULL
    GROUP BY subject_id
)
SELECT
    CASE
        WHEN s.type = 'user' THEN 'person'
        WHEN s.type IN ('serviceaccount', 'virtualaccount') THEN 'service account'
        ELSE COALESCE(s.type, 'unknown')
    END AS author_kind,
    s.id AS subject_id,
    COALESCE(s.display_name, s.slug, s.id) AS display_name,
    COALESCE(n.models, 0) AS models,
    COALESCE(n.versions, 0) AS versions,
    n.last_created_at,
    n.last_deleted_at
FROM subjects s
LEFT JOIN by_subject n ON n.subject_id = s.id
WHERE COALESCE(n.live, 0) = 0
