-- All that is known of a version at a moment: description, tags, packages, metrics, metadata, manifest and the rest.
-- The parameter "model" is the model's id, FQN or name; "version" is the number of the version. The fields are named as in
-- `changes`. Metrics have no steps here, because `changes` records none.
WITH RECURSIVE
{moment},
target AS (
    SELECT v.*
    FROM model_versions v
    JOIN models m ON m.id = v.model_id
    WHERE CAST(:model AS TEXT) IN (m.id, m.fqn, m.name)
      AND CAST(v.version AS TEXT) = CAST(:version AS TEXT)
      AND v.first_seen_at <= (SELECT at FROM moment)
),
later AS (
    SELECT c.id, c.entity_id, c.kind, c.field, c.old_value, c.new_value
    FROM target t
    JOIN changes c ON c.entity = 'model_versions' AND c.entity_id = t.id
    WHERE c.observed_at > (SELECT at FROM moment)
),
life AS (
    SELECT entity_id, kind, ROW_NUMBER() OVER (PARTITION BY entity_id ORDER BY id) AS place
    FROM later
    WHERE kind IN ('created', 'deleted', 'restored')
),
was_there AS (
    SELECT t.id
    FROM target t
    LEFT JOIN life l ON l.entity_id = t.id AND l.place = 1
    WHERE CASE COALESCE(l.kind, '')
              WHEN 'deleted' THEN TRUE
              WHEN '' THEN t.deleted_at IS NULL OR t.deleted_at > (SELECT at FROM moment)
              ELSE FALSE
          END
),
{leaves},
fields_now AS (
    SELECT id, 'description' AS field, description AS value FROM target
    UNION ALL SELECT id, 'version_alias', version_alias FROM target
    UNION ALL SELECT id, 'source_type', source_type FROM target
    UNION ALL SELECT id, 'source_uri', source_uri FROM target
    UNION ALL SELECT id, 'framework_type', framework_type FROM target
    UNION ALL SELECT id, 'library_name', library_name FROM target
    UNION ALL SELECT id, 'pipeline_tag', pipeline_tag FROM target
    UNION ALL SELECT id, 'base_model', base_model FROM target
    UNION ALL SELECT id, 'python_version', python_version FROM target
    UNION ALL SELECT id, 'step', CAST(step AS TEXT) FROM target
    UNION ALL SELECT id, 'run_id', run_id FROM target
    UNION ALL SELECT id, 'deployable', CASE WHEN deployable THEN 'true' WHEN NOT deployable THEN 'false' END FROM target
    UNION ALL SELECT id, 'artifact_size_bytes', CAST(artifact_size_bytes AS TEXT) FROM target
    UNION ALL SELECT id, 'created_by_id', created_by_id FROM target
    UNION ALL SELECT id, origin || '.' || path, value FROM leaves
    -- Columns and lists have these parts of the manifest.
    WHERE origin = 'metadata' OR (path NOT LIKE 'metadata.%' AND path NOT IN (
        'description', 'environment.pip_packages', 'environment.python_version', 'framework.base_model',
        'framework.library_name', 'framework.pipeline_tag', 'framework.type', 'metadata', 'run_id',
        'source.file_or_folder', 'source.type', 'source.uri', 'step', 'version', 'version_alias'
    ))
),
-- As a field was before its first change after the moment, so it was at the moment.
fields_undone AS (
    SELECT entity_id AS id, field, old_value AS value,
           ROW_NUMBER() OVER (PARTITION BY entity_id, field ORDER BY id) AS place
    FROM later
    WHERE kind = 'updated' AND field NOT LIKE 'metrics.%' AND field NOT LIKE 'packages.%' AND field NOT LIKE 'extra.%'
      AND field NOT IN ('fqn', 'ml_repo_id', 'model_id', 'updated_at', 'version')
),
-- Lists may hold a value several times. Each later change took the old value away, and put the new one there.
listed AS (
    SELECT model_version_id AS id, 'tags' AS field, tag AS value, 1 AS number
    FROM model_version_tags
    WHERE model_version_id IN (SELECT id FROM target)
    UNION ALL
    SELECT model_version_id, 'packages.' || COALESCE(name, requirement), requirement, 1
    FROM model_version_packages
    WHERE model_version_id IN (SELECT id FROM target)
    UNION ALL
    SELECT model_version_id, 'metrics.' || key, COALESCE(value_special, {metric_as_text}, 'null'), 1
    FROM model_version_metrics
    WHERE model_version_id IN (SELECT id FROM target)
    UNION ALL
    SELECT entity_id, field, {recorded_value_of_old_value}, 1
    FROM later
    WHERE old_value IS NOT NULL AND (field LIKE 'metrics.%' OR field LIKE 'packages.%' OR kind = 'tag_removed')
    UNION ALL
    SELECT entity_id, field, {recorded_value_of_new_value}, -1
    FROM later
    WHERE new_value IS NOT NULL AND (field LIKE 'metrics.%' OR field LIKE 'packages.%' OR kind = 'tag_added')
),
fields_then AS (
    SELECT n.id, n.field, n.value
    FROM fields_now n
    WHERE n.field NOT IN (SELECT u.field FROM fields_undone u WHERE u.id = n.id)
    UNION ALL
    SELECT id, field, value FROM fields_undone WHERE place = 1
    UNION ALL
    SELECT id, field, value FROM listed GROUP BY id, field, value HAVING SUM(number) > 0
)
SELECT f.id AS model_version_id, f.field, f.value
FROM fields_then f
JOIN was_there w ON w.id = f.id
WHERE f.value IS NOT NULL
ORDER BY model_version_id, field, value
