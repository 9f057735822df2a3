-- Each period in which a version had an alias, computed from `changes`.
WITH
-- NOT MATERIALIZED: a filter on the view must reach the tables, though these sets are read more than once.
-- CROSS JOIN makes SQLite find the versions of a model first, and then their changes.
-- A version has one alias at most: one change both sets the new alias and ends the old one.
moves AS NOT MATERIALIZED (
    SELECT
        v.model_id,
        v.id AS model_version_id,
        'alias' AS source,
        c.new_value AS held,
        c.id,
        c.observed_at,
        'got' AS kind
    FROM model_versions v
    CROSS JOIN changes c
    WHERE c.entity = 'model_versions' AND c.entity_id = v.id AND c.kind = 'updated' AND c.field = 'version_alias'
      AND c.new_value IS NOT NULL
    UNION ALL
    SELECT v.model_id, v.id, 'alias', c.old_value, c.id, c.observed_at, 'lost'
    FROM model_versions v
    CROSS JOIN changes c
    WHERE c.entity = 'model_versions' AND c.entity_id = v.id AND c.kind = 'updated' AND c.field = 'version_alias'
      AND c.old_value IS NOT NULL
),
held_now AS NOT MATERIALIZED (
    SELECT model_id, id AS model_version_id, 'alias' AS source, version_alias AS held
    FROM model_versions
    WHERE version_alias IS NOT NULL
),
{label_periods}
SELECT
    b.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    b.model_version_id,
    v.version,
    b.held AS version_alias,
    b.valid_from,
    b.valid_from_is_exact,
    b.not_before,
    b.valid_to
FROM periods b
JOIN model_versions v ON v.id = b.model_version_id
LEFT JOIN models m ON m.id = b.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
