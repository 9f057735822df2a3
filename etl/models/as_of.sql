-- The versions that the source had at a given time, one row for each of their tags; tag is NULL for versions without.
-- The parameter "at" is the time in UTC. docs/how-to/analysts/history.md shows its use, and the effect of pruning.
WITH later AS (  -- what was changed after the moment, each thing's first change first
    SELECT entity, entity_id, thing, kind, old_value, new_value,
           ROW_NUMBER() OVER (PARTITION BY entity, entity_id, thing ORDER BY id) AS place
    FROM (
        SELECT id, entity, entity_id, kind, old_value, new_value,
               CASE WHEN kind IN ('tag_added', 'tag_removed') THEN 'tag ' || COALESCE(new_value, old_value)
                    WHEN kind = 'updated' THEN field
                    ELSE 'life'
               END AS thing
        FROM changes
        WHERE observed_at > :at
          AND entity IN ('models', 'model_versions')
          AND (kind <> 'updated' OR field IN ('name', 'version', 'version_alias'))
    ) changed
),
undone AS (  -- as a thing was before that change, so it was at the moment
    SELECT entity, entity_id, thing, kind, old_value, new_value FROM later WHERE place = 1
),
tags AS (
    SELECT model_version_id, tag FROM model_version_tags
    EXCEPT
    SELECT entity_id, new_value FROM undone WHERE kind = 'tag_added'
    UNION
    SELECT entity_id, old_value FROM undone WHERE kind = 'tag_removed'
)
SELECT v.model_id,
       CASE WHEN named.kind IS NULL THEN m.name ELSE named.old_value END AS model_name,
       r.name AS ml_repo_name,
       v.id AS model_version_id,
       CASE WHEN numbered.kind IS NULL THEN v.version ELSE CAST(numbered.old_value AS BIGINT) END AS version,
       CASE WHEN aliased.kind IS NULL THEN v.version_alias ELSE aliased.old_value END AS version_alias,
       t.tag
FROM model_versions v
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
LEFT JOIN tags t ON t.model_version_id = v.id
LEFT JOIN undone life ON life.entity = 'model_versions' AND life.entity_id = v.id AND life.thing = 'life'
LEFT JOIN undone numbered
    ON numbered.entity = 'model_versions' AND numbered.entity_id = v.id AND numbered.thing = 'version'
LEFT JOIN undone aliased
    ON aliased.entity = 'model_versions' AND aliased.entity_id = v.id AND aliased.thing = 'version_alias'
LEFT JOIN undone named ON named.entity = 'models' AND named.entity_id = v.model_id AND named.thing = 'name'
WHERE v.first_seen_at <= :at
  AND CASE COALESCE(life.kind, '')
          WHEN 'deleted' THEN TRUE
          WHEN '' THEN v.deleted_at IS NULL OR v.deleted_at > :at
          ELSE FALSE
      END
ORDER BY ml_repo_name, model_name, version, model_version_id, tag;
