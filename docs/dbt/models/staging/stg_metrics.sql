-- The last finite value of each metric of each version that the source has now.
select
    model_version_id || '/' || key as metric_id,
    model_version_id,
    key,
    value
from {{ source('tfy_registry', 'latest_metrics') }}
where value is not null
