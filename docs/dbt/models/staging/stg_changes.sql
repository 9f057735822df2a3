-- Changes of the models and their versions, with the day.
select
    {{ day_of('observed_at') }} as day,
    model_id,
    model_name,
    entity,
    kind,
    field
from {{ source('tfy_registry', 'model_timeline') }}
