-- The versions that the source had at a moment, one row for each of their tags; tag is NULL for versions without.
-- Names, numbers, aliases and ML repos are those of that moment.
WITH
{moment},
{undone},
tags AS (
    SELECT model_version_id, tag FROM model_version_tags
    EXCEPT
    SELECT entity_id, new_value FROM undone WHERE kind = 'tag_added'
    UNION
    SELECT entity_id, old_value FROM undone WHERE kind = 'tag_removed'
)
SELECT
    v.model_id,
    v.model_name,
    v.ml_repo_name,
    v.model_version_id,
    v.version,
    v.version_alias,
    t.tag
FROM versions_then v
LEFT JOIN tags t ON t.model_version_id = v.model_version_id
ORDER BY ml_repo_name, model_name, version, v.model_version_id, tag
