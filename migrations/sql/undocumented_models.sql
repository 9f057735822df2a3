-- Models without a description, a creator or tags.
WITH judged AS (
    SELECT
        m.id AS model_id,
        m.name AS model_name,
        r.name AS ml_repo_name,
        COALESCE(s.display_name, s.slug, m.created_by_id) AS created_by,
        COALESCE(TRIM(v.description, {blanks}) <> '', FALSE) AS has_description,
        m.created_by_id IS NOT NULL AS has_creator,
        EXISTS (
            SELECT 1
            FROM model_versions a
            JOIN model_version_tags t ON t.model_version_id = a.id
            WHERE a.model_id = m.id AND a.deleted_at IS NULL
        ) AS has_tags,
        NOT EXISTS (SELECT 1 FROM model_versions a WHERE a.model_id = m.id AND a.deleted_at IS NULL) AS is_empty,
        m.created_at
    FROM models m
    LEFT JOIN model_versions v ON v.id = m.latest_version_id AND v.deleted_at IS NULL
    LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
    LEFT JOIN subjects s ON s.id = m.created_by_id
    WHERE m.deleted_at IS NULL
)
SELECT model_id, model_name, ml_repo_name, created_by, has_description, has_creator, has_tags, is_empty, created_at
FROM judged
WHERE NOT (has_description AND has_creator AND has_tags)
