-- Models without a new version for half a year. model_activity has every model, for other limits.
SELECT
    model_id,
    model_name,
    ml_repo_name,
    created_by,
    version_count,
    last_version_at,
    days_since_last_version
FROM model_activity
WHERE days_since_last_activity > 180
