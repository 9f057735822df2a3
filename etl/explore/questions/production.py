"""Questions about production."""

from etl.explore import parameters
from etl.explore.questions.as_of import of_model
from etl.explore.questions.question import AT, ML_REPO, MODEL, PACKAGE, Parameter, Question

_RANGE = Parameter(
    "range",
    "version specifiers, such as <2.6 or >=2.0,<2.6; empty for any version.",
    read=parameters.specifiers,
)

QUESTIONS = (
    Question(
        "in_production",
        "What is in production, and since when?",
        """\
SELECT ml_repo_name, model_name, version, tag, since_at, not_before, label_since_at, created_by, framework_type,
       python_version, model_id, model_version_id, created_by_id
FROM production_versions
WHERE :ml_repo IN ('', ml_repo_name)
ORDER BY ml_repo_name, model_name, version""",
        (ML_REPO,),
        "It entered production after not_before, if that is known; the run of since_at found it. "
        "The source does not say who promoted it.",
    ),
    Question(
        "production_at",
        "What was in production at a time?",
        of_model("production_as_of", "ml_repo_name, model_name, version, model_version_id, label"),
        (AT, MODEL),
        "It entered production after not_before, if that is known; the run of since_at found it. "
        "until_at is when it left, if it did since.",
    ),
    Question(
        "production_moves",
        "What was promoted, rolled back or retired?",
        """\
SELECT model_name, version, change, previous_version, next_version, labels, valid_from, not_before, valid_to,
       duration_seconds, lead_time_seconds, ml_repo_name, model_id, model_version_id
FROM production_history
WHERE :model IN ('', model_id, model_name)
ORDER BY COALESCE(valid_to, valid_from) DESC, valid_from DESC, ml_repo_name, model_name, version""",
        (MODEL,),
        "The last move comes first; next_version entered after this one. The source does not say who made it.",
    ),
    Question(
        "production_behind",
        "Which models have no version in production, several, or an old one?",
        """\
SELECT ml_repo_name, model_name, production_versions, newest_production_version, latest_version, versions_behind,
       production_since_at, model_id
FROM production_models
WHERE :ml_repo IN ('', ml_repo_name)
  AND (production_versions <> 1 OR versions_behind > 0)
ORDER BY versions_behind DESC, production_versions DESC, ml_repo_name, model_name""",
        (ML_REPO,),
        "Those that are furthest behind come first.",
    ),
    Question(
        "package_in_production",
        "Which versions in production have a package within a range of versions?",
        """\
SELECT p.ml_repo_name, p.model_name, p.version, u.requirement,
       range_overlap(u.specifier, :range) AS in_range, p.model_id, p.model_version_id
FROM (SELECT DISTINCT ml_repo_name, model_name, version, model_id, model_version_id FROM production_versions) p
JOIN package_usage u ON u.model_version_id = p.model_version_id
WHERE u.name = REPLACE(REPLACE(LOWER(TRIM(:package)), '_', '-'), '.', '-')
  AND range_overlap(u.specifier, :range) <> 'no'
ORDER BY in_range DESC, p.ml_repo_name, p.model_name, p.version""",
        (PACKAGE, _RANGE),
        "in_range is yes if all versions that the requirement allows are within the range, and perhaps if only some "
        "are, or if the requirement cannot be read. A pre-release such as 2.6rc1 is below 2.6.",
    ),
    Question(
        "production_by_creator",
        "Who created what is in production?",
        """\
SELECT created_by, COUNT(DISTINCT model_id) AS models, COUNT(DISTINCT model_version_id) AS versions,
       created_by_id AS production_creator_id
FROM production_versions
GROUP BY created_by_id, created_by
ORDER BY versions DESC, created_by""",
    ),
)
