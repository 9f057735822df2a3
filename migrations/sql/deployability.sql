-- How many models and versions the control plane can deploy. A model counts by its latest version.
SELECT
    COALESCE(v.ml_repo_id, m.ml_repo_id) AS ml_repo_id,
    r.name AS ml_repo_name,
    v.deployable,
    COUNT(CASE WHEN m.latest_version_id = v.id AND m.deleted_at IS NULL THEN 1 END) AS models,
    COUNT(*) AS versions
FROM model_versions v
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
WHERE v.deleted_at IS NULL
GROUP BY COALESCE(v.ml_repo_id, m.ml_repo_id), r.name, v.deployable
