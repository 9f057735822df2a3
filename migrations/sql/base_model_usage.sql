-- Base models in use.
SELECT v.base_model, COUNT(DISTINCT v.model_id) AS models, COUNT(*) AS versions
FROM model_versions v
WHERE v.deleted_at IS NULL AND v.base_model <> ''
GROUP BY v.base_model
