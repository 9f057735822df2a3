-- The versions in production at a moment, one row for each label that marked them, and how exactly that is known.
-- Names, numbers and ML repos are those of that moment; the words for production are those of now.
WITH
{moment},
labels_then AS (
    SELECT h.*
    FROM production_label_history h
    WHERE h.valid_from <= (SELECT at FROM moment)
      AND (h.valid_to IS NULL OR h.valid_to > (SELECT at FROM moment))
),
-- As a field was before its first change after the moment, so it was at the moment. '' stands for NULL before it.
-- There are few such versions, so each is looked up on its own.
versions_then AS (
    SELECT
        l.*,
        COALESCE((
            SELECT COALESCE(c.old_value, '')
            FROM changes c
            WHERE c.entity = 'models' AND c.entity_id = l.model_id AND c.kind = 'updated' AND c.field = 'name'
              AND c.observed_at > (SELECT at FROM moment)
            ORDER BY c.id
            LIMIT 1
        ), m.name) AS model_name,
        CAST(COALESCE((
            SELECT COALESCE(c.old_value, '')
            FROM changes c
            WHERE c.entity = 'model_versions' AND c.entity_id = v.id AND c.kind = 'updated' AND c.field = 'version'
              AND c.observed_at > (SELECT at FROM moment)
            ORDER BY c.id
            LIMIT 1
        ), CAST(v.version AS TEXT)) AS BIGINT) AS version,
        NULLIF(COALESCE((
            SELECT COALESCE(c.old_value, '')
            FROM changes c
            WHERE c.entity = 'model_versions' AND c.entity_id = v.id AND c.kind = 'updated' AND c.field = 'ml_repo_id'
              AND c.observed_at > (SELECT at FROM moment)
            ORDER BY c.id
            LIMIT 1
        ), v.ml_repo_id), '') AS ml_repo_id,
        NULLIF(COALESCE((
            SELECT COALESCE(c.old_value, '')
            FROM changes c
            WHERE c.entity = 'models' AND c.entity_id = l.model_id AND c.kind = 'updated' AND c.field = 'ml_repo_id'
              AND c.observed_at > (SELECT at FROM moment)
            ORDER BY c.id
            LIMIT 1
        ), m.ml_repo_id), '') AS ml_repo_id_of_model
    FROM labels_then l
    JOIN model_versions v ON v.id = l.model_version_id
    LEFT JOIN models m ON m.id = v.model_id
)
SELECT
    t.model_id,
    NULLIF(t.model_name, '') AS model_name,
    NULLIF(COALESCE((
        SELECT COALESCE(c.old_value, '')
        FROM changes c
        WHERE c.entity = 'ml_repos' AND c.entity_id = r.id AND c.kind = 'updated' AND c.field = 'name'
          AND c.observed_at > (SELECT at FROM moment)
        ORDER BY c.id
        LIMIT 1
    ), r.name), '') AS ml_repo_name,
    t.model_version_id,
    t.version,
    t.label,
    t.since_at,
    t.since_is_exact,
    t.since_not_before AS not_before,
    t.until_at,
    t.valid_from AS label_since_at
FROM versions_then t
LEFT JOIN ml_repos r ON r.id = COALESCE(t.ml_repo_id, t.ml_repo_id_of_model)
ORDER BY ml_repo_name, model_name, version, t.model_version_id, t.label
