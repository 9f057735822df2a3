-- Versions that a tag or an alias marks as in production: one row for each such label.
WITH labels AS (
    SELECT
        h.*,
        -- An alias that is also a tag of the version has one row: that of the tag.
        ROW_NUMBER() OVER (PARTITION BY model_id, model_version_id, label ORDER BY source DESC) AS place
    FROM production_label_history h
    WHERE valid_to IS NULL
)
SELECT
    l.label AS tag,
    l.model_version_id,
    l.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    v.version,
    v.version_alias,
    v.framework_type,
    v.base_model,
    v.python_version,
    v.deployable,
    v.created_by_id,
    COALESCE(s.display_name, s.slug, v.created_by_id) AS created_by,
    v.created_at,
    v.updated_at,
    l.since_at,
    l.since_is_exact,
    l.since_not_before AS not_before,
    l.valid_from AS label_since_at,
    l.valid_from_is_exact AS label_since_is_exact,
    v.superseded_at
FROM labels l
JOIN model_versions v ON v.id = l.model_version_id AND v.deleted_at IS NULL
LEFT JOIN models m ON m.id = l.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
LEFT JOIN subjects s ON s.id = v.created_by_id
WHERE l.place = 1
