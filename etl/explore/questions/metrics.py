"""Questions about metrics."""

from etl.explore.questions.question import METRIC_KEYS_SQL, Parameter, Question

_METRIC = Parameter("metric", "its name, such as auc.", METRIC_KEYS_SQL)
_BETTER = Parameter("better", "higher or lower; empty for what metric_directions says.", "VALUES ('higher'), ('lower')")

QUESTIONS = (
    Question(
        "best_versions",
        "Which versions are best by a metric?",
        """\
SELECT CASE COALESCE(NULLIF(:better, ''), d.better) WHEN 'lower' THEN l.rank_ascending ELSE l.position END AS rank,
       l.value, l.ml_repo_name, l.model_name, l.version, l.model_id, l.model_version_id
FROM metric_leaderboard l
LEFT JOIN metric_directions d ON d.key = l.key
WHERE l.key = :metric
ORDER BY rank, l.ml_repo_name, l.model_name, l.version""",
        (_METRIC, _BETTER),
        "If no direction is known, higher is better.",
    ),
    Question(
        "best_of_each_model",
        "Which version of each model is best by a metric?",
        """\
WITH ranked AS (
    SELECT
        l.*,
        CASE COALESCE(NULLIF(:better, ''), better) WHEN 'lower' THEN rank_ascending ELSE position END AS place
    FROM model_leaderboard l
    WHERE key = :metric
)
SELECT ml_repo_name, model_name, version, value, is_latest, model_id, model_version_id
FROM ranked
WHERE place = 1
ORDER BY ml_repo_name, model_name, version""",
        (_METRIC, _BETTER),
        "If no direction is known, higher is better.",
    ),
    Question(
        "what_became_worse",
        "Which metrics became worse from one version to the next?",
        """\
SELECT key, ml_repo_name, model_name, from_version, to_version, from_value, to_value, relative_change, better, model_id
FROM metric_changes
WHERE NOT is_improvement AND :metric IN ('', key)
ORDER BY ABS(scaled_change) DESC, ml_repo_name, model_name, to_version""",
        (Parameter("metric", "its name; empty for all.", METRIC_KEYS_SQL),),
        "Without metrics of which it is unknown whether higher or lower is better.",
    ),
)
