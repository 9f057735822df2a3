-- The models that the source had at a moment, those without versions included.
-- Names and ML repos are those of that moment.
-- No rows for a moment before the first run, whose state is unknown: see the page History of the docs.
WITH
{moment},
{then},
-- Not a join, which SQLite would plan badly: a row for each model, and one for each version.
counted AS (
    SELECT model_id, COUNT(model_version_id) AS version_count, MAX(version) AS newest_version
    FROM (
        SELECT id AS model_id, NULL AS model_version_id, CAST(NULL AS BIGINT) AS version FROM models
        UNION ALL
        SELECT model_id, model_version_id, version FROM versions_then
    ) every
    GROUP BY model_id
),
models_then AS (
    SELECT
        m.id AS model_id,
        {name_of_model} AS model_name,
        {ml_repo_of_model} AS ml_repo_id,
        v.version_count,
        v.newest_version
    FROM counted v
    CROSS JOIN models m
    WHERE m.id = v.model_id
      AND m.first_seen_at <= (SELECT at FROM moment)
      AND CASE {life_of_model}
              WHEN 'deleted' THEN TRUE
              WHEN '' THEN m.deleted_at IS NULL OR m.deleted_at > (SELECT at FROM moment)
              ELSE FALSE
          END
)
SELECT
    v.model_id,
    v.model_name,
    {name_of_ml_repo} AS ml_repo_name,
    v.version_count,
    v.newest_version
FROM models_then v
LEFT JOIN ml_repos r ON r.id = v.ml_repo_id
ORDER BY ml_repo_name, model_name, v.model_id
