-- The values in the manifest and in the metadata, with their paths. A list is one value, and so is an empty object.
leaves_at AS (
    SELECT t.id, o.origin, e.key AS path, e.value
    FROM target t
    CROSS JOIN LATERAL (VALUES ('manifest', t.manifest), ('metadata', t.metadata)) o (origin, object)
    CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(o.object) = 'object' THEN o.object ELSE '{{}}' END) e
    UNION ALL
    SELECT l.id, l.origin, l.path || '.' || e.key, e.value
    FROM leaves_at l
    CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(l.value) = 'object' THEN l.value ELSE '{{}}' END) e
),
leaves AS (
    SELECT id, origin, path, value #>> '{{}}' AS value
    FROM leaves_at
    WHERE jsonb_typeof(value) <> 'object' OR value = '{{}}'
)
