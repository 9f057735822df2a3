-- Each required package of each live version.
SELECT
    p.name,
    p.specifier,
    p.pinned_version,
    p.pinned_version IS NOT NULL AS is_pinned,
    v.id AS model_version_id,
    v.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    v.version,
    COALESCE(m.latest_version_id = v.id, FALSE) AS is_latest,
    p.requirement
FROM model_version_packages p
JOIN model_versions v ON v.id = p.model_version_id AND v.deleted_at IS NULL
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
