-- The versions in production at a moment, one row for each label that marked them, and how exactly that is known.
-- Names, numbers and ML repos are those of that moment; the words for production are those of now.
-- No rows for a moment before the first run, whose state is unknown: see the page History of the docs.
WITH
{moment},
{then}
SELECT
    v.model_id,
    v.model_name,
    {name_of_ml_repo} AS ml_repo_name,
    v.model_version_id,
    v.version,
    h.label,
    h.since_at,
    h.since_is_exact,
    h.since_not_before AS not_before,
    h.until_at,
    h.valid_from AS label_since_at
-- CROSS JOIN makes SQLite look up the version of each label.
FROM production_label_history h
CROSS JOIN versions_then v
LEFT JOIN ml_repos r ON r.id = v.ml_repo_id
WHERE v.model_version_id = h.model_version_id
  AND h.valid_from <= (SELECT at FROM moment)
  AND (h.valid_to IS NULL OR h.valid_to > (SELECT at FROM moment))
ORDER BY ml_repo_name, model_name, version, v.model_version_id, h.label
