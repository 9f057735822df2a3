-- Each period in which a tag or an alias marked a version as in production, with the stretch in production that it
-- belongs to. The words are in `production_words`.
WITH
-- NOT MATERIALIZED, CROSS JOIN: see tag_history.sql. The casts give each arm the same type, which SQLite needs to filter
-- each of them.
-- LOWER() must change ASCII letters only, as in SQLite, whatever the locale of the PostgreSQL database.
labels_moved AS NOT MATERIALIZED (
    SELECT
        v.model_id,
        v.id AS model_version_id,
        'tag' AS source,
        CAST(COALESCE(c.new_value, c.old_value) AS TEXT) AS held,
        c.id,
        c.observed_at,
        CASE c.kind WHEN 'tag_added' THEN 'got' ELSE 'lost' END AS kind,
        REPLACE(LOWER(COALESCE(c.new_value, c.old_value){ascii}), '=', ':') AS label
    FROM model_versions v
    CROSS JOIN changes c
    WHERE c.entity = 'model_versions' AND c.entity_id = v.id AND c.kind IN ('tag_added', 'tag_removed')
    UNION ALL
    SELECT
        v.model_id,
        v.id,
        'alias',
        c.new_value,
        c.id,
        c.observed_at,
        'got',
        REPLACE(LOWER(c.new_value{ascii}), '=', ':')
    FROM model_versions v
    CROSS JOIN changes c
    WHERE c.entity = 'model_versions' AND c.entity_id = v.id AND c.kind = 'updated' AND c.field = 'version_alias'
      AND c.new_value IS NOT NULL
    UNION ALL
    SELECT
        v.model_id,
        v.id,
        'alias',
        c.old_value,
        c.id,
        c.observed_at,
        'lost',
        REPLACE(LOWER(c.old_value{ascii}), '=', ':')
    FROM model_versions v
    CROSS JOIN changes c
    WHERE c.entity = 'model_versions' AND c.entity_id = v.id AND c.kind = 'updated' AND c.field = 'version_alias'
      AND c.old_value IS NOT NULL
),
labels_now AS NOT MATERIALIZED (
    SELECT
        v.model_id,
        t.model_version_id,
        'tag' AS source,
        t.tag AS held,
        REPLACE(LOWER(t.tag{ascii}), '=', ':') AS label
    FROM model_versions v
    JOIN model_version_tags t ON t.model_version_id = v.id
    UNION ALL
    SELECT model_id, id, 'alias', version_alias, REPLACE(LOWER(version_alias{ascii}), '=', ':')
    FROM model_versions
    WHERE version_alias IS NOT NULL
),
-- Only labels that mean production go on, so that the rest costs little.
moves AS NOT MATERIALIZED (
    SELECT l.model_id, l.model_version_id, l.source, l.held, l.id, l.observed_at, l.kind
    FROM labels_moved l
    WHERE {means_production}
),
held_now AS NOT MATERIALIZED (
    SELECT l.model_id, l.model_version_id, l.source, l.held
    FROM labels_now l
    WHERE {means_production}
),
{label_periods},
-- Periods of a version that overlap or touch are one stretch. The end of time stands for a period that lasts.
with_earlier_ends AS (
    SELECT
        b.*,
        MAX(COALESCE(valid_to, {end_of_time})) OVER (
            PARTITION BY model_id, model_version_id
            ORDER BY valid_from, valid_from_is_exact, source, held
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS earlier_ends
    FROM periods b
),
numbered AS (
    SELECT
        e.*,
        SUM(CASE WHEN earlier_ends >= valid_from THEN 0 ELSE 1 END) OVER in_order AS stretch
    FROM with_earlier_ends e
    WINDOW in_order AS (
        PARTITION BY model_id, model_version_id
        ORDER BY valid_from, valid_from_is_exact, source, held
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
)
SELECT
    n.model_id,
    n.model_version_id,
    n.source,
    n.held AS label,
    n.valid_from,
    n.valid_from_is_exact,
    n.not_before,
    n.valid_to,
    FIRST_VALUE(n.valid_from) OVER stretch AS since_at,
    FIRST_VALUE(n.valid_from_is_exact) OVER stretch AS since_is_exact,
    FIRST_VALUE(n.not_before) OVER stretch AS since_not_before,
    NULLIF(MAX(COALESCE(n.valid_to, {end_of_time})) OVER stretch, {end_of_time}) AS until_at
FROM numbered n
WINDOW stretch AS (
    PARTITION BY n.model_id, n.model_version_id, n.stretch
    ORDER BY n.valid_from, n.valid_from_is_exact, n.source, n.held
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
)
