-- Models and versions by ML repo, creator and framework.
WITH
counted AS (
    SELECT
        -- A version that does not name its ML repo is in that of its model.
        COALESCE(v.ml_repo_id, m.ml_repo_id) AS ml_repo_id,
        COALESCE(m.created_by_id, v.created_by_id) AS created_by_id,
        v.framework_type,
        CASE WHEN m.deleted_at IS NULL THEN m.id END AS model_id,
        v.id AS version_id,
        -- A sum of impossible sizes would overflow 64 bits, and the whole query would fail.
        CASE WHEN v.artifact_size_bytes BETWEEN 0 AND 1000000000000000 THEN v.artifact_size_bytes END AS size
    FROM model_versions v
    LEFT JOIN models m ON m.id = v.model_id
    WHERE v.deleted_at IS NULL
    UNION ALL
    -- Models without versions.
    SELECT m.ml_repo_id, m.created_by_id, NULL, m.id, NULL, NULL
    FROM models m
    WHERE m.deleted_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM model_versions v WHERE v.model_id = m.id AND v.deleted_at IS NULL)
),
named AS (
    SELECT
        c.ml_repo_id,
        r.name AS ml_repo_name,
        COALESCE(s.display_name, s.slug, c.created_by_id) AS created_by,
        c.framework_type,
        c.model_id,
        c.version_id,
        c.size
    FROM counted c
    LEFT JOIN ml_repos r ON r.id = c.ml_repo_id
    LEFT JOIN subjects s ON s.id = c.created_by_id
)
SELECT
    ml_repo_id,
    ml_repo_name,
    created_by,
    framework_type,
    COUNT(DISTINCT model_id) AS models,
    COUNT(version_id) AS versions,
    -- Without versions the size is 0; NULL if there are versions, and none has a size.
    CASE WHEN COUNT(version_id) = 0 THEN 0 ELSE CAST(SUM(size) AS BIGINT) END AS artifact_size_bytes,
    COUNT(version_id) - COUNT(size) AS versions_without_size
FROM named
GROUP BY ml_repo_id, ml_repo_name, created_by, framework_type
