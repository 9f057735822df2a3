-- For each live model, how many versions its numbers imply, how many are stored and how many are missing.
-- The source numbers versions from 1 and uses no number twice. So a number that was never stored belongs to a version
-- that no run has read, or to one that was deleted before the first run: the two cannot be told apart.
-- A filter on one model passes into the grouping, because the grouping begins with the models.
WITH numbered AS (
    SELECT
        m.id,
        m.name,
        m.ml_repo_id,
        MAX(v.version) AS highest_version,
        COUNT(CASE WHEN v.deleted_at IS NULL THEN v.id END) AS stored_versions,
        -- Deleted versions count here: they were stored.
        COUNT(DISTINCT CASE WHEN v.version >= 1 THEN v.version END) AS stored_numbers
    FROM models m
    LEFT JOIN model_versions v ON v.model_id = m.id
    WHERE m.deleted_at IS NULL
    GROUP BY m.id
)
SELECT
    n.id AS model_id,
    n.name AS model_name,
    r.name AS ml_repo_name,
    n.highest_version,
    n.stored_versions,
    CASE WHEN n.highest_version > n.stored_numbers THEN n.highest_version - n.stored_numbers ELSE 0 END
        AS missing_versions
FROM numbered n
LEFT JOIN ml_repos r ON r.id = n.ml_repo_id
