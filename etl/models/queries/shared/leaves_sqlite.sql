-- The values in the manifest and in the metadata, with their paths. A list is one value, and so is an empty object.
leaves_at AS (
    SELECT t.id, 'manifest' AS origin, e.key AS path, e.type, e.value
    FROM target t, json_each(CASE WHEN json_type(t.manifest) = 'object' THEN t.manifest ELSE '{{}}' END) e
    UNION ALL
    SELECT t.id, 'metadata', e.key, e.type, e.value
    FROM target t, json_each(CASE WHEN json_type(t.metadata) = 'object' THEN t.metadata ELSE '{{}}' END) e
    UNION ALL
    SELECT l.id, l.origin, l.path || '.' || e.key, e.type, e.value
    FROM leaves_at l, json_each(CASE WHEN l.type = 'object' THEN l.value ELSE '{{}}' END) e
),
leaves AS (
    SELECT
        id,
        origin,
        path,
        CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(value AS TEXT) END AS value
    FROM leaves_at
    WHERE type <> 'object' OR value = '{{}}'
)
