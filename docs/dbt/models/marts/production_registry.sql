-- Versions in production: one row each, whatever the number of tags that mark them.
with tagged as (

    select
        model_version_id,
        min(tag) as tag,
        min(since_at) as in_production_since,
        count(*) as tags
    from {{ source('tfy_registry', 'production_versions') }}
    group by model_version_id

),

newest as (

    select
        model_id,
        max(version) as newest_version
    from {{ ref('stg_versions') }}
    group by model_id

)

select
    tagged.model_version_id,
    versions.model_id,
    versions.model_name,
    versions.ml_repo_name,
    versions.version,
    newest.newest_version,
    newest.newest_version - versions.version as versions_behind,
    versions.framework_type,
    versions.created_by,
    tagged.tag,
    tagged.tags,
    tagged.in_production_since
from tagged
inner join {{ ref('stg_versions') }} as versions on tagged.model_version_id = versions.model_version_id
left join newest on versions.model_id = newest.model_id
