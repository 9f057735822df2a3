-- For each live model, how many versions its numbers imply, how many are stored and how many are missing.
-- The source numbers versions from 1 and uses no number twice. So a number that was never stored belongs to a version
-- that no run has read, or to one that was deleted before the first run: the two cannot be told apart.
WITH numbered AS (
    SELECT
        v.model_id,
        MAX(v.version) AS highest_version,
        COUNT(CASE WHEN v.deleted_at IS NULL THEN 1 END) AS stored_versions,
        -- Deleted versions count here: they were stored.
        COUNT(DISTINCT CASE WHEN v.version >= 1 THEN v.version END) AS stored_numbers
    FROM model_versions v
    GROUP BY v.model_id
)
SELECT
    m.id AS model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    n.highest_version,
    COALESCE(n.stored_versions, 0) AS stored_versions,
    CASE WHEN n.highest_version > n.stored_numbers THEN n.highest_version - n.stored_numbers ELSE 0 END
        AS missing_versions
FROM models m
LEFT JOIN numbered n ON n.model_id = m.id
LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
WHERE m.deleted_at IS NULL
