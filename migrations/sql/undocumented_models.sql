-- Models without a description, a creator or tags.
-- A filter on one model passes into the grouping, because the grouping begins with the models.
WITH
counted AS (
    SELECT
        m.id,
        m.name,
        m.ml_repo_id,
        m.created_by_id,
        m.created_at,
        m.latest_version_id,
        COUNT(v.id) AS versions,  -- a version with several tags counts as often
        COUNT(t.model_version_id) AS tags
    FROM models m
    LEFT JOIN model_versions v ON v.model_id = m.id AND v.deleted_at IS NULL
    LEFT JOIN model_version_tags t ON t.model_version_id = v.id
    WHERE m.deleted_at IS NULL
    GROUP BY m.id
),
judged AS (
    SELECT
        n.id AS model_id,
        n.name AS model_name,
        r.name AS ml_repo_name,
        COALESCE(s.display_name, s.slug, n.created_by_id) AS created_by,
        COALESCE(TRIM(v.description, {blanks}) <> '', FALSE) AS has_description,
        n.created_by_id IS NOT NULL AS has_creator,
        n.tags > 0 AS has_tags,
        n.versions = 0 AS is_empty,
        n.created_at
    FROM counted n
    LEFT JOIN model_versions v ON v.id = n.latest_version_id AND v.deleted_at IS NULL
    LEFT JOIN ml_repos r ON r.id = n.ml_repo_id
    LEFT JOIN subjects s ON s.id = n.created_by_id
)
SELECT model_id, model_name, ml_repo_name, created_by, has_description, has_creator, has_tags, is_empty, created_at
FROM judged
WHERE NOT (has_description AND has_creator AND has_tags)
