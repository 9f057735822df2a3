-- No version in production is missing from the mart, and none is in it that is not.
select expected.model_version_id
from (select distinct model_version_id from {{ source('tfy_registry', 'production_versions') }}) as expected
full join {{ ref('production_registry') }} as found on expected.model_version_id = found.model_version_id
where expected.model_version_id is null or found.model_version_id is null
