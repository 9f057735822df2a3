-- The metadata of each live version: one row for each key at its top level.
-- A float that JSON lacks is stored with an escape before it, which no other value has in this place.
WITH members AS (
    SELECT v.id AS model_version_id, v.model_id, v.ml_repo_id, v.version, e.key, {member_as_text} AS value
    FROM model_versions v
    CROSS JOIN {members_of_metadata} e
    WHERE v.deleted_at IS NULL AND v.metadata IS NOT NULL
)
SELECT
    x.model_version_id,
    x.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    x.version,
    COALESCE(m.latest_version_id = x.model_version_id, FALSE) AS is_latest,
    x.key,
    CASE
        WHEN x.value LIKE '␛N%' OR x.value LIKE '␛I%' OR x.value LIKE '␛-%' OR x.value LIKE '␛_.%'
          OR x.value LIKE '␛_e+%'
        THEN SUBSTR(x.value, 2)
        ELSE x.value
    END AS value
FROM members x
LEFT JOIN models m ON m.id = x.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(x.ml_repo_id, m.ml_repo_id)
