-- Each tag with the versions that carry it now.
SELECT
    t.tag,
    v.id AS model_version_id,
    v.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    v.version,
    v.fqn,
    v.superseded_at
FROM model_version_tags t
JOIN model_versions v ON v.id = t.model_version_id AND v.deleted_at IS NULL
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
