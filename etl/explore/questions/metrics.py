"""Questions about metrics."""

from etl.explore import parameters
from etl.explore.questions.question import METRIC, Parameter, Question

_BETTER = Parameter(
    "better",
    "higher or lower; empty for what metric_directions says.",
    "VALUES ('higher'), ('lower')",
    parameters.direction,
)
_NOTE = "The column better says which values count as better. If no direction is known, the highest come first."

QUESTIONS = (
    Question(
        "best_versions",
        "Which versions are best by a metric?",
        """\
SELECT CASE COALESCE(NULLIF(:better, ''), d.better) WHEN 'lower' THEN l.rank_ascending ELSE l.position END AS rank,
       l.value, l.ml_repo_name, l.model_name, l.version,
       COALESCE(NULLIF(:better, ''), d.better, 'unknown') AS better, l.model_id, l.model_version_id
FROM metric_leaderboard l
LEFT JOIN metric_directions d ON d.key = l.key
WHERE l.key = :metric
ORDER BY rank, l.ml_repo_name, l.model_name, l.version""",
        (METRIC, _BETTER),
        _NOTE,
    ),
    Question(
        "best_of_each_model",
        "Which version of each model is best by a metric?",
        """\
WITH ranked AS (
    SELECT
        l.*,
        COALESCE(NULLIF(:better, ''), better, 'unknown') AS direction,
        CASE COALESCE(NULLIF(:better, ''), better) WHEN 'lower' THEN rank_ascending ELSE position END AS place
    FROM model_leaderboard l
    WHERE key = :metric
)
SELECT ml_repo_name, model_name, version, value, direction AS better, is_latest, model_id, model_version_id
FROM ranked
WHERE place = 1
ORDER BY ml_repo_name, model_name, version""",
        (METRIC, _BETTER),
        _NOTE,
    ),
    Question(
        "what_became_worse",
        "Which metrics became worse from one version to the next?",
        """\
SELECT key, ml_repo_name, model_name, from_version, to_version, from_value, to_value, relative_change, better, model_id
FROM metric_changes
WHERE NOT is_improvement AND :metric IN ('', key)
ORDER BY ABS(scaled_change) DESC, ml_repo_name, model_name, to_version""",
        (METRIC._replace(about="its name; empty for all.", required=""),),
        "Omits metrics for which the better direction is unknown.",
    ),
)
