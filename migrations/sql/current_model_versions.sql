-- Versions that the source has now, with model, ML repo, creator and tags.
SELECT
    v.id,
    v.model_id,
    m.name AS model_name,
    -- A version that does not name its ML repo is in that of its model.
    COALESCE(v.ml_repo_id, m.ml_repo_id) AS ml_repo_id,
    r.name AS ml_repo_name,
    v.fqn,
    v.version,
    v.version_alias,
    v.description,
    v.source_type,
    v.source_uri,
    v.framework_type,
    v.base_model,
    v.python_version,
    v.deployable,
    v.artifact_size_bytes,
    v.created_by_id,
    COALESCE(s.display_name, s.slug, v.created_by_id) AS created_by,
    v.created_at,
    v.updated_at,
    COALESCE(m.latest_version_id = v.id, FALSE) AS is_latest,
    {tags_of_v} AS tags,
    v.superseded_at
FROM model_versions v
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
LEFT JOIN subjects s ON s.id = v.created_by_id
WHERE v.deleted_at IS NULL
