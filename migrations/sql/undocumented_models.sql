-- Models without a description, a creator or tags.
WITH
live_versions AS (
    SELECT v.model_id, COUNT(t.model_version_id) AS tags
    FROM model_versions v
    LEFT JOIN model_version_tags t ON t.model_version_id = v.id
    WHERE v.deleted_at IS NULL
    GROUP BY v.model_id
),
judged AS (
    SELECT
        m.id AS model_id,
        m.name AS model_name,
        r.name AS ml_repo_name,
        COALESCE(s.display_name, s.slug, m.created_by_id) AS created_by,
        COALESCE(TRIM(v.description, {blanks}) <> '', FALSE) AS has_description,
        m.created_by_id IS NOT NULL AS has_creator,
        COALESCE(n.tags > 0, FALSE) AS has_tags,
        n.model_id IS NULL AS is_empty,
        m.created_at
    FROM models m
    LEFT JOIN live_versions n ON n.model_id = m.id
    LEFT JOIN model_versions v ON v.id = m.latest_version_id AND v.deleted_at IS NULL
    LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
    LEFT JOIN subjects s ON s.id = m.created_by_id
    WHERE m.deleted_at IS NULL
)
SELECT model_id, model_name, ml_repo_name, created_by, has_description, has_creator, has_tags, is_empty, created_at
FROM judged
WHERE NOT (has_description AND has_creator AND has_tags)
