-- Each metric from version to version of a model.
with placed as (

    select
        metrics.metric_id,
        versions.model_id,
        versions.model_name,
        versions.ml_repo_name,
        metrics.key,
        versions.version,
        metrics.value,
        lag(metrics.value) over story as previous_value,
        max(metrics.value) over story as largest_so_far,
        min(metrics.value) over story as least_so_far
    from {{ ref('stg_metrics') }} as metrics
    inner join {{ ref('stg_versions') }} as versions on metrics.model_version_id = versions.model_version_id
    where versions.version is not null
    window story as (partition by versions.model_id, metrics.key order by versions.version)

)

select
    metric_id,
    model_id,
    model_name,
    ml_repo_name,
    key,
    version,
    value,
    previous_value,
    value - previous_value as change,
    largest_so_far,
    least_so_far
from placed
