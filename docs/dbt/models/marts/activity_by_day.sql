-- How much moved on each day, by what it was.
select
    day || '/' || entity || '/' || kind as activity_id,
    day,
    entity,
    kind,
    count(*) as changes,
    count(distinct model_id) as models
from {{ ref('stg_changes') }}
group by day, entity, kind
