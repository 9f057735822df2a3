-- Models that the source has now, with ML repo, creator and latest version.
SELECT
    m.id,
    m.ml_repo_id,
    r.name AS ml_repo_name,
    m.name,
    m.fqn,
    m.created_by_id,
    COALESCE(s.display_name, s.slug, m.created_by_id) AS created_by,
    m.created_at,
    m.updated_at,
    m.latest_version_id,
    v.version AS latest_version,
    v.version_alias,
    v.framework_type,
    {tags_of_v} AS tags,
    (SELECT COUNT(*) FROM model_versions a WHERE a.model_id = m.id AND a.deleted_at IS NULL) AS version_count
FROM models m
LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
LEFT JOIN subjects s ON s.id = m.created_by_id
LEFT JOIN model_versions v ON v.id = m.latest_version_id AND v.deleted_at IS NULL
WHERE m.deleted_at IS NULL
