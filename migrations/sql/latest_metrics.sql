-- The last value of each metric of each live version.
-- The last value has the largest step. Equal steps are ordered by time, then by place in the source's list.
-- The model is in the partition, so that a filter on it passes.
WITH ranked AS (
    SELECT
        v.model_id,
        x.model_version_id,
        x.key,
        x.value,
        x.value_special,
        x.step,
        x.logged_at,
        ROW_NUMBER() OVER (
            PARTITION BY v.model_id, x.model_version_id, x.key
            ORDER BY x.step DESC NULLS LAST, x.timestamp_ms DESC NULLS LAST, x.position DESC
        ) AS place
    FROM model_version_metrics x
    JOIN model_versions v ON v.id = x.model_version_id AND v.deleted_at IS NULL
)
SELECT model_version_id, model_id, key, value, value_special, step, logged_at
FROM ranked
WHERE place = 1
