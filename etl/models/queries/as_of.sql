-- The versions that the source had at a moment, one row for each of their tags; tag is NULL for versions without.
-- Names, numbers, aliases and ML repos are those of that moment.
-- No rows for a moment before the first run, whose state is unknown: see the page History of the docs.
WITH
{moment},
-- What was changed after the moment, each tag's first change first.
later AS (
    SELECT entity_id, kind, COALESCE(new_value, old_value) AS tag,
           ROW_NUMBER() OVER (PARTITION BY entity_id, COALESCE(new_value, old_value) ORDER BY id) AS place
    FROM changes
    WHERE observed_at > (SELECT at FROM moment) AND entity = 'model_versions' AND kind IN ('tag_added', 'tag_removed')
),
-- As a tag was before that change, so it was at the moment.
tags AS (
    SELECT model_version_id, tag FROM model_version_tags
    EXCEPT
    SELECT entity_id, tag FROM later WHERE place = 1 AND kind = 'tag_added'
    UNION
    SELECT entity_id, tag FROM later WHERE place = 1 AND kind = 'tag_removed'
),
-- Each tag, and one row without a tag for the versions that have none.
tagged AS (
    SELECT model_version_id, tag, COUNT(tag) OVER (PARTITION BY model_version_id) AS tags
    FROM (
        SELECT model_version_id, tag FROM tags
        UNION ALL
        SELECT id, NULL FROM model_versions
    ) every
),
{then}
SELECT
    v.model_id,
    v.model_name,
    {name_of_ml_repo} AS ml_repo_name,
    v.model_version_id,
    v.version,
    v.version_alias,
    t.tag
-- CROSS JOIN makes SQLite look up the version of each tag, instead of the tags of each version.
FROM tagged t
CROSS JOIN versions_then v
LEFT JOIN ml_repos r ON r.id = v.ml_repo_id
WHERE v.model_version_id = t.model_version_id AND (t.tags = 0 OR t.tag IS NOT NULL)
ORDER BY ml_repo_name, model_name, version, v.model_version_id, t.tag
