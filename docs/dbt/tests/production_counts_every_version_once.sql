-- The mart has exactly the versions in production.
select expected.model_version_id
from (select distinct model_version_id from {{ source('tfy_registry', 'production_versions') }}) as expected
full join {{ ref('production_registry') }} as found on expected.model_version_id = found.model_version_id
where expected.model_version_id is null or found.model_version_id is null
