-- The models that the source had at a moment, those without versions included.
-- Names and ML repos are those of that moment.
WITH
{moment},
{undone},
counted AS (
    SELECT model_id, COUNT(*) AS version_count, MAX(version) AS newest_version FROM versions_then GROUP BY model_id
)
SELECT
    m.model_id,
    m.model_name,
    r.ml_repo_name,
    COALESCE(c.version_count, 0) AS version_count,
    c.newest_version
FROM models_then m
LEFT JOIN ml_repos_then r ON r.ml_repo_id = m.ml_repo_id
LEFT JOIN counted c ON c.model_id = m.model_id
WHERE m.was_there
ORDER BY ml_repo_name, model_name, m.model_id
