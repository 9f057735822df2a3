-- What was changed after the moment, each thing's first change first.
later AS (
    SELECT entity, entity_id, thing, kind, old_value, new_value,
           ROW_NUMBER() OVER (PARTITION BY entity, entity_id, thing ORDER BY id) AS place
    FROM (
        SELECT id, entity, entity_id, kind, old_value, new_value,
               CASE WHEN kind IN ('tag_added', 'tag_removed') THEN 'tag ' || COALESCE(new_value, old_value)
                    WHEN kind = 'updated' THEN field
                    ELSE 'life'
               END AS thing
        FROM changes
        WHERE observed_at > (SELECT at FROM moment)
          AND (kind <> 'updated' OR field IN ('name', 'ml_repo_id', 'version', 'version_alias'))
    ) changed
),
-- As a thing was before that change, so it was at the moment.
undone AS (
    SELECT entity, entity_id, thing, kind, old_value, new_value FROM later WHERE place = 1
),
ml_repos_then AS (
    SELECT
        r.id AS ml_repo_id,
        CASE WHEN named.kind IS NULL THEN r.name ELSE named.old_value END AS ml_repo_name
    FROM ml_repos r
    LEFT JOIN undone named ON named.entity = 'ml_repos' AND named.entity_id = r.id AND named.thing = 'name'
),
models_then AS (
    SELECT
        m.id AS model_id,
        CASE WHEN named.kind IS NULL THEN m.name ELSE named.old_value END AS model_name,
        CASE WHEN moved.kind IS NULL THEN m.ml_repo_id ELSE moved.old_value END AS ml_repo_id,
        m.first_seen_at <= (SELECT at FROM moment) AND CASE COALESCE(life.kind, '')
            WHEN 'deleted' THEN TRUE
            WHEN '' THEN m.deleted_at IS NULL OR m.deleted_at > (SELECT at FROM moment)
            ELSE FALSE
        END AS was_there
    FROM models m
    LEFT JOIN undone life ON life.entity = 'models' AND life.entity_id = m.id AND life.thing = 'life'
    LEFT JOIN undone named ON named.entity = 'models' AND named.entity_id = m.id AND named.thing = 'name'
    LEFT JOIN undone moved ON moved.entity = 'models' AND moved.entity_id = m.id AND moved.thing = 'ml_repo_id'
),
versions_then AS (
    SELECT
        v.model_id,
        m.model_name,
        r.ml_repo_name,
        v.id AS model_version_id,
        CASE WHEN numbered.kind IS NULL THEN v.version ELSE CAST(numbered.old_value AS BIGINT) END AS version,
        CASE WHEN aliased.kind IS NULL THEN v.version_alias ELSE aliased.old_value END AS version_alias
    FROM model_versions v
    LEFT JOIN undone life ON life.entity = 'model_versions' AND life.entity_id = v.id AND life.thing = 'life'
    LEFT JOIN undone moved
        ON moved.entity = 'model_versions' AND moved.entity_id = v.id AND moved.thing = 'ml_repo_id'
    LEFT JOIN undone numbered
        ON numbered.entity = 'model_versions' AND numbered.entity_id = v.id AND numbered.thing = 'version'
    LEFT JOIN undone aliased
        ON aliased.entity = 'model_versions' AND aliased.entity_id = v.id AND aliased.thing = 'version_alias'
    LEFT JOIN models_then m ON m.model_id = v.model_id
    LEFT JOIN ml_repos_then r
        ON r.ml_repo_id = COALESCE(CASE WHEN moved.kind IS NULL THEN v.ml_repo_id ELSE moved.old_value END, m.ml_repo_id)
    WHERE v.first_seen_at <= (SELECT at FROM moment)
      AND CASE COALESCE(life.kind, '')
              WHEN 'deleted' THEN TRUE
              WHEN '' THEN v.deleted_at IS NULL OR v.deleted_at > (SELECT at FROM moment)
              ELSE FALSE
          END
)
