-- Each period in which a version had a tag, computed from `changes`.
WITH
-- NOT MATERIALIZED: a filter on the view must reach the tables, though these sets are read more than once.
-- CROSS JOIN makes SQLite find the versions of a model first, and then their changes.
moves AS NOT MATERIALIZED (
    SELECT
        v.model_id,
        v.id AS model_version_id,
        'tag' AS source,
        COALESCE(c.new_value, c.old_value) AS held,
        c.id,
        c.observed_at,
        CASE c.kind WHEN 'tag_added' THEN 'got' ELSE 'lost' END AS kind
    FROM model_versions v
    CROSS JOIN changes c
    WHERE c.entity = 'model_versions' AND c.entity_id = v.id AND c.kind IN ('tag_added', 'tag_removed')
),
held_now AS NOT MATERIALIZED (
    SELECT v.model_id, t.model_version_id, 'tag' AS source, t.tag AS held
    FROM model_versions v
    JOIN model_version_tags t ON t.model_version_id = v.id
),
{label_periods}
SELECT
    b.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    b.model_version_id,
    v.version,
    b.held AS tag,
    b.valid_from,
    b.valid_from_is_exact,
    b.not_before,
    b.valid_to
FROM periods b
JOIN model_versions v ON v.id = b.model_version_id
LEFT JOIN models m ON m.id = b.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
