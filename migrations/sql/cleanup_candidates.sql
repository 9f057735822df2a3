-- Live versions that are neither the latest of their model nor in production, with their age and size.
SELECT
    v.id AS model_version_id,
    v.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    v.version,
    v.version_alias,
    {tags_of_v} AS tags,
    COALESCE(s.display_name, s.slug, v.created_by_id) AS created_by,
    v.created_at,
    {days_since_created} AS days_since_created,
    -- An impossible size is unknown.
    CASE WHEN v.artifact_size_bytes BETWEEN 0 AND 1000000000000000 THEN v.artifact_size_bytes END
        AS artifact_size_bytes
FROM model_versions v
JOIN models m ON m.id = v.model_id AND m.latest_version_id <> v.id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
LEFT JOIN subjects s ON s.id = v.created_by_id
WHERE v.deleted_at IS NULL
  -- Not by production_versions, which a database would read whole, even for one model.
  AND NOT EXISTS (
      SELECT 1
      FROM (
          SELECT 'tag' AS source, REPLACE(LOWER(t.tag{ascii}), '=', ':') AS label
          FROM model_version_tags t
          WHERE t.model_version_id = v.id
          UNION ALL
          SELECT 'alias', REPLACE(LOWER(v.version_alias{ascii}), '=', ':')
      ) l
      WHERE {means_production}
  )
