-- Number of changes by day and kind.
select
    day || '/' || entity || '/' || kind as activity_id,
    day,
    entity,
    kind,
    count(*) as changes,
    count(distinct model_id) as models
from {{ ref('stg_changes') }}
group by day, entity, kind
