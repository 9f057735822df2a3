-- Age of the last complete run of each scope, and how many live records the tables hold.
SELECT
    f.scope,
    f.last_complete_run_id,
    f.last_complete_at,
    {seconds_since_last_complete} AS age_seconds,
    f.last_full_at,
    f.coverage,
    f.watermark,
    (SELECT COUNT(*) FROM models m WHERE m.deleted_at IS NULL) AS models,
    (SELECT COUNT(*) FROM model_versions v WHERE v.deleted_at IS NULL) AS model_versions,
    -- In PostgreSQL a sum of 64-bit integers is NUMERIC.
    CAST(
        COALESCE((SELECT SUM(c.rejected) FROM sync_run_counts c WHERE c.run_id = f.last_complete_run_id), 0) AS BIGINT
    ) AS rejected
FROM sync_scopes f
