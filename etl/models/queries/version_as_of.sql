-- All that is known of a version at a moment: description, tags, packages, metrics, metadata, manifest and the rest.
-- The parameter "model" is the model's id, FQN, name, or ML repo and name, such as risk/fraud-scorer. If several models have
-- the name, model_id and ml_repo_name tell them apart. "version" is the number of the version. The fields are named as in
-- `changes`. Metrics are in the order in which they were logged. `changes` records no steps: those of metrics that the
-- version no longer has are NULL, and such metrics come last.
-- No rows for a moment before the first run, whose state is unknown: see the page History of the docs.
WITH RECURSIVE
{moment},
target AS (
    SELECT v.*
    FROM model_versions v
    JOIN models m ON m.id = v.model_id
    LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
    WHERE CAST(:model AS TEXT) IN (m.id, m.fqn, m.name, r.name || '/' || m.name)
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
    SELECT v.id, v.model_id, COALESCE({ml_repo_of_version}, {ml_repo_of_model}) AS ml_repo_id
    FROM target v
    JOIN models m ON m.id = v.model_id
    LEFT JOIN life l ON l.entity_id = v.id AND l.place = 1
    WHERE CASE COALESCE(l.kind, '')
              WHEN 'deleted' THEN TRUE
              WHEN '' THEN v.deleted_at IS NULL OR v.deleted_at > (SELECT at FROM moment)
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
metrics_now AS (
    SELECT
        m.*,
        ROW_NUMBER() OVER (PARTITION BY id, field, value ORDER BY position) AS place
    FROM (
        SELECT
            model_version_id AS id,
            'metrics.' || key AS field,
            COALESCE(value_special, {metric_group}, 'null') AS value_group,
            COALESCE(value_special, {metric_as_text}, 'null') AS value,
            position,
            step
        FROM model_version_metrics
        WHERE model_version_id IN (SELECT id FROM target)
    ) m
),
-- Lists may hold a value several times. Each later change took the old value away, and put the new one there.
listed AS (
    SELECT model_version_id AS id, 'tags' AS field, tag AS value_group, tag AS value, 1 AS number, 1 AS is_now
    FROM model_version_tags
    WHERE model_version_id IN (SELECT id FROM target)
    UNION ALL
    SELECT model_version_id, 'packages.' || COALESCE(name, requirement), requirement, requirement, 1, 1
    FROM model_version_packages
    WHERE model_version_id IN (SELECT id FROM target)
    UNION ALL
    SELECT id, field, value_group, value, 1, 1
    FROM metrics_now
    UNION ALL
    SELECT entity_id, field, {recorded_group_of_old_value}, {recorded_value_of_old_value}, 1, 0
    FROM later
    WHERE old_value IS NOT NULL AND (field LIKE 'metrics.%' OR field LIKE 'packages.%' OR kind = 'tag_removed')
    UNION ALL
    SELECT entity_id, field, {recorded_group_of_new_value}, {recorded_value_of_new_value}, -1, 0
    FROM later
    WHERE new_value IS NOT NULL AND (field LIKE 'metrics.%' OR field LIKE 'packages.%' OR kind = 'tag_added')
),
-- SQLite may write the last digit of a double otherwise than it was recorded. So count values that differ no more than
-- that together, and prefer recorded values.
counted AS (
    SELECT
        id,
        field,
        value,
        SUM(number) AS number,
        SUM(is_now) AS number_now,
        SUM(SUM(number)) OVER (PARTITION BY id, field, value_group) AS of_group,
        SUM(CASE WHEN SUM(number) > 0 THEN SUM(number) ELSE 0 END) OVER (
            PARTITION BY id, field, value_group
            ORDER BY SUM(is_now), value
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS so_far
    FROM listed
    GROUP BY id, field, value_group, value
),
listed_then AS (
    SELECT * FROM counted WHERE number > 0 AND so_far <= of_group
),
-- Not a join, which SQLite would plan badly.
metrics_then AS (
    SELECT
        m.*,
        MAX(number) OVER (PARTITION BY id, field, value) AS number_then
    FROM (
        SELECT id, field, value, position, step, place, 0 AS number FROM metrics_now
        UNION ALL
        SELECT id, field, value, NULL, NULL, NULL, number FROM listed_then
    ) m
),
fields_then AS (
    SELECT n.id, n.field, n.value, CAST(NULL AS BIGINT) AS position, CAST(NULL AS BIGINT) AS step
    FROM fields_now n
    WHERE n.field NOT IN (SELECT u.field FROM fields_undone u WHERE u.id = n.id)
    UNION ALL
    SELECT id, field, value, NULL, NULL FROM fields_undone WHERE place = 1
    UNION ALL
    SELECT id, field, value, position, step FROM metrics_then WHERE place <= number_then
    UNION ALL
    SELECT id, field, value, NULL, NULL
    FROM listed_then
    WHERE field NOT LIKE 'metrics.%' OR number > number_now
)
SELECT
    w.model_id,
    {name_of_ml_repo} AS ml_repo_name,
    f.id AS model_version_id,
    f.field,
    f.value,
    f.step
FROM fields_then f
JOIN was_there w ON w.id = f.id
LEFT JOIN ml_repos r ON r.id = w.ml_repo_id
WHERE f.value IS NOT NULL
ORDER BY ml_repo_name, w.model_id, f.id, f.field, f.position NULLS LAST, f.value
