-- Versions that a tag or an alias marks as in production: one row for each such label.
WITH
-- LOWER() must change ASCII letters only, as in SQLite, whatever the locale of the PostgreSQL database.
tags AS (
    SELECT h.tag AS label, h.model_version_id, h.valid_from, h.valid_from_is_exact
    FROM tag_history h
    WHERE h.valid_to IS NULL
      AND REPLACE(LOWER(h.tag{ascii}), '=', ':') IN (
          'prod', 'production', 'live', 'champion',
          'env:prod', 'env:production', 'env:live', 'env:champion',
          'environment:prod', 'environment:production', 'environment:live', 'environment:champion',
          'stage:prod', 'stage:production', 'stage:live', 'stage:champion'
      )
),
aliases AS (
    SELECT h.version_alias AS label, h.model_version_id, h.valid_from, h.valid_from_is_exact
    FROM alias_history h
    WHERE h.valid_to IS NULL
      AND (
          REPLACE(LOWER(h.version_alias{ascii}), '=', ':') IN (
              'prod', 'production', 'live', 'champion',
              'env:prod', 'env:production', 'env:live', 'env:champion',
              'environment:prod', 'environment:production', 'environment:live', 'environment:champion',
              'stage:prod', 'stage:production', 'stage:live', 'stage:champion'
          )
          -- The source requires aliases to begin with v: v1-prod is in production, v1-pre-prod is not.
          OR (LOWER(h.version_alias{ascii}) LIKE 'v%-prod' AND LOWER(h.version_alias{ascii}) NOT LIKE '%-%-prod')
          OR (LOWER(h.version_alias{ascii}) LIKE 'v%-production'
              AND LOWER(h.version_alias{ascii}) NOT LIKE '%-%-production')
          OR (LOWER(h.version_alias{ascii}) LIKE 'v%-live' AND LOWER(h.version_alias{ascii}) NOT LIKE '%-%-live')
          OR (LOWER(h.version_alias{ascii}) LIKE 'v%-champion'
              AND LOWER(h.version_alias{ascii}) NOT LIKE '%-%-champion')
      )
      -- An alias that is also a tag of the version has its row already.
      AND h.version_alias NOT IN (
          SELECT t.tag FROM model_version_tags t WHERE t.model_version_id = h.model_version_id
      )
),
labels AS (
    SELECT label, model_version_id, valid_from, valid_from_is_exact FROM tags
    UNION ALL
    SELECT label, model_version_id, valid_from, valid_from_is_exact FROM aliases
)
SELECT
    l.label AS tag,
    v.id AS model_version_id,
    v.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    v.version,
    v.version_alias,
    v.framework_type,
    v.base_model,
    v.python_version,
    v.deployable,
    COALESCE(s.display_name, s.slug, v.created_by_id) AS created_by,
    v.created_at,
    v.updated_at,
    l.valid_from AS since_at,
    l.valid_from_is_exact AS since_is_exact,
    v.superseded_at
FROM labels l
JOIN model_versions v ON v.id = l.model_version_id AND v.deleted_at IS NULL
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
LEFT JOIN subjects s ON s.id = v.created_by_id
