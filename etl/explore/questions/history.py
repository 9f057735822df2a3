"""Questions about the past."""

from etl.explore import parameters
from etl.explore.questions.as_of import of_model
from etl.explore.questions.question import AT, MODEL, Parameter, Question, days
from etl.models.queries import shipped_query

_TAG = Parameter(
    "tag", "one tag; empty for all.", "SELECT DISTINCT tag FROM model_version_tags ORDER BY tag LIMIT 1000"
)
_ONE_MODEL = MODEL._replace(about="its name, ml_repo/model, FQN or id.", required="Choose a model.")
_NUMBER = Parameter(
    "version", "its number, such as 3 or v3.", read=parameters.version_number, required="Choose a version."
)

QUESTIONS = (
    Question(
        "what_changed",
        "What changed recently?",
        """\
SELECT observed_at, model_name, version, kind, field, old_value, new_value, entity, entity_id, model_id
FROM model_timeline
WHERE :model IN ('', model_id, model_name)
  AND observed_at >= strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || COALESCE(NULLIF(:days, ''), '30') || ' days')
ORDER BY observed_at DESC, model_name, version""",
        (days("30 if empty."), MODEL),
        "observed_at is the start of the run that found the change.",
    ),
    Question(
        "tags_at",
        "Which version carried which tag at a time?",
        """\
SELECT tag, ml_repo_name, model_name, version, valid_from, not_before, valid_to, model_id, model_version_id
FROM tag_history
WHERE :tag IN ('', tag)
  AND :model IN ('', model_id, model_name)
  AND valid_from <= :at
  AND (valid_to IS NULL OR valid_to > :at)
ORDER BY tag, ml_repo_name, model_name, version""",
        (AT, _TAG, MODEL),
        "It got the tag after not_before, if that is known; the run of valid_from found it.",
    ),
    Question(
        "registry_at",
        "Which versions existed at a time, with which tags?",
        of_model("as_of", "ml_repo_name, model_name, version, model_version_id, tag"),
        (AT, MODEL),
    ),
    Question(
        "models_at",
        "Which models existed at a time?",
        of_model("models_as_of", "ml_repo_name, model_name, model_id"),
        (AT, MODEL),
        "Empty ones too.",
    ),
    Question(
        "version_at",
        "What was known of a version at a time?",
        shipped_query("version_as_of", "sqlite"),
        (_ONE_MODEL, _NUMBER, AT),
        "Description, tags, packages, metrics, metadata and manifest.",
    ),
    Question(
        "deleted_models",
        "Which models were deleted?",
        """\
SELECT r.name AS ml_repo_name, m.name AS model_name, m.deleted_at, m.created_at, m.id AS model_id, m.ml_repo_id
FROM models m
LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
WHERE m.deleted_at IS NOT NULL
ORDER BY m.deleted_at DESC, ml_repo_name, model_name""",
    ),
    Question(
        "growth_by_month",
        "How many models and versions were created in each month?",
        """\
SELECT SUBSTR(day, 1, 7) AS month, SUM(models_created) AS models, SUM(versions_created) AS versions
FROM growth
GROUP BY month
ORDER BY month DESC""",
        note="Without deleted ones.",
    ),
)
