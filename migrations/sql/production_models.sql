-- Every live model with what it has in production, if anything, and how far that is behind its latest version.
WITH
in_production AS (
    SELECT
        model_id,
        model_version_id,
        version,
        since_at,
        since_is_exact,
        not_before,
        ROW_NUMBER() OVER (PARTITION BY model_id, model_version_id ORDER BY tag) AS place_of_label
    FROM production_versions
),
-- Each model, so that those without production have a row, and each of its versions in production. Not a LEFT JOIN,
-- because a filter on the model would not pass.
candidates AS (
    SELECT
        id AS model_id,
        NULL AS model_version_id,
        CAST(NULL AS BIGINT) AS version,
        NULL AS since_at,
        NULL AS since_is_exact,
        NULL AS not_before
    FROM models
    WHERE deleted_at IS NULL
    UNION ALL
    SELECT model_id, model_version_id, version, since_at, since_is_exact, not_before
    FROM in_production
    WHERE place_of_label = 1
),
ranked AS (
    SELECT
        c.*,
        COUNT(model_version_id) OVER (PARTITION BY model_id) AS production_versions,
        ROW_NUMBER() OVER (
            PARTITION BY model_id
            ORDER BY version DESC NULLS LAST, since_at DESC NULLS LAST, model_version_id NULLS LAST
        ) AS place
    FROM candidates c
),
numbered AS (
    SELECT
        p.*,
        m.name AS model_name,
        m.ml_repo_id,
        COALESCE(
            latest.version,
            (SELECT MAX(v.version) FROM model_versions v WHERE v.model_id = m.id AND v.deleted_at IS NULL)
        ) AS latest_version
    FROM ranked p
    JOIN models m ON m.id = p.model_id AND m.deleted_at IS NULL
    LEFT JOIN model_versions latest ON latest.id = m.latest_version_id AND latest.deleted_at IS NULL
    WHERE p.place = 1
)
SELECT
    n.model_id,
    n.model_name,
    r.name AS ml_repo_name,
    n.production_versions,
    n.version AS newest_production_version,
    n.latest_version,
    -- A count, because numbers of deleted versions stay unused.
    CASE
        WHEN n.version IS NOT NULL
            THEN (
                SELECT COUNT(*)
                FROM model_versions v
                WHERE v.model_id = n.model_id AND v.version > n.version AND v.deleted_at IS NULL
            )
    END AS versions_behind,
    n.since_at AS production_since_at,
    n.since_is_exact AS production_since_is_exact,
    n.not_before AS production_not_before
FROM numbered n
LEFT JOIN ml_repos r ON r.id = n.ml_repo_id
