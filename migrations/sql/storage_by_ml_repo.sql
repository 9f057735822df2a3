-- Size of the artifacts in each ML repo, those without models included.
WITH
sized_versions AS (
    SELECT
        COALESCE(v.ml_repo_id, m.ml_repo_id) AS ml_repo_id,
        -- A size below 0 or above a petabyte is none: a sum of such numbers would overflow 64 bits.
        CASE WHEN v.artifact_size_bytes BETWEEN 0 AND 1000000000000000 THEN v.artifact_size_bytes END AS size
    FROM model_versions v
    LEFT JOIN models m ON m.id = v.model_id
    WHERE v.deleted_at IS NULL
),
counted AS (
    SELECT id AS ml_repo_id, 0 AS models, 0 AS versions, 0 AS versions_without_size, 0 AS size
    FROM ml_repos
    WHERE deleted_at IS NULL
    UNION ALL
    SELECT ml_repo_id, 1, 0, 0, 0 FROM models WHERE deleted_at IS NULL
    UNION ALL
    SELECT ml_repo_id, 0, 1, CASE WHEN size IS NULL THEN 1 ELSE 0 END, COALESCE(size, 0) FROM sized_versions
)
SELECT
    n.ml_repo_id,
    r.name AS ml_repo_name,
    SUM(n.models) AS models,
    SUM(n.versions) AS versions,
    SUM(n.versions_without_size) AS versions_without_size,
    -- Without versions the size is 0; NULL if there are versions, and none has a size.
    CASE WHEN SUM(n.versions) = 0 OR SUM(n.versions) > SUM(n.versions_without_size) THEN CAST(SUM(n.size) AS BIGINT) END
        AS artifact_size_bytes
FROM counted n
LEFT JOIN ml_repos r ON r.id = n.ml_repo_id
GROUP BY n.ml_repo_id, r.name
