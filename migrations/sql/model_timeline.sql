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
-- CROSS JOIN makes SQLite find a model first, and then its changes.
FROM models m
CROSS JOIN changes c
WHERE c.entity = 'models' AND c.entity_id = m.id
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
FROM model_versions v
CROSS JOIN changes c
LEFT JOIN models m ON m.id = v.model_id
WHERE c.entity = 'model_versions' AND c.entity_id = v.id
