-- All changes of a model and of its versions, in one list.
SELECT
    m.id AS model_id,
    m.name AS model_name,
    c.observed_at,
    c.run_id,
    c.entity,
    c.entity_id,
    CAST(NULL AS BIGINT) AS version,
    c.kind,
    c.field,
    c.old_value,
    c.new_value
FROM changes c
JOIN models m ON m.id = c.entity_id
WHERE c.entity = 'models'
UNION ALL
SELECT
    v.model_id,
    m.name,
    c.observed_at,
    c.run_id,
    c.entity,
    c.entity_id,
    v.version,
    c.kind,
    c.field,
    c.old_value,
    c.new_value
FROM changes c
JOIN model_versions v ON v.id = c.entity_id
LEFT JOIN models m ON m.id = v.model_id
WHERE c.entity = 'model_versions'
