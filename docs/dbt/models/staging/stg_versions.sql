-- Versions that the source has now.
select
    id as model_version_id,
    model_id,
    model_name,
    ml_repo_id,
    ml_repo_name,
    version,
    framework_type,
    created_by,
    is_latest,
    created_at
from {{ source('tfy_registry', 'current_model_versions') }}
