"""Views that compare metrics."""

from sqlalchemy import Table

from etl.models.views.columns import flag, integer, metadata, real, text

metric_leaderboard = Table(
    "metric_leaderboard",
    metadata,
    text("key", "Name of the metric."),
    integer("position", "Rank among all versions, 1 for the largest value; equal values share a rank."),
    text("model_version_id", "model_versions.id"),
    text("model_id", "models.id of its model."),
    text("model_name", "Name of its model."),
    text("ml_repo_name", "Name of its ML repo."),
    integer("version", "Number of the version."),
    real("value", "The last value; always finite."),
    integer("rank_ascending", "Rank where smaller values are better, 1 for the smallest."),
    comment="The last value of each metric of each version, ranked. A version whose last value is not finite is "
    "left out.",
)

metric_changes = Table(
    "metric_changes",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Name of the model."),
    text("ml_repo_name", "Name of its ML repo."),
    text("key", "Name of the metric."),
    integer("from_version", "Number of the earlier version."),
    integer("to_version", "Number of the later version."),
    real("from_value", "Last value at the earlier version."),
    real("to_value", "Last value at the later version."),
    real("change", "The later value minus the earlier; NULL if a value exceeds 8e307."),
    real(
        "relative_change",
        "The change divided by the absolute earlier value; NULL if that is 0, or if a value exceeds 1e150.",
    ),
    real(
        "scaled_change",
        "The change divided by the largest absolute value of this metric in the model: between -2 and 2. Rank by it, "
        "because a relative change from nearly 0 is huge.",
    ),
    text("better", "higher or lower: which values are better, by metric_directions; NULL if unknown."),
    flag("is_improvement", "Whether the later value is better; NULL if that is unknown, or the values are equal."),
    comment="Each metric of a version compared with the previous version, by number, whose last value of it is "
    "finite too.",
)

model_leaderboard = Table(
    "model_leaderboard",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Name of the model."),
    text("ml_repo_name", "Name of its ML repo."),
    text("key", "Name of the metric."),
    text("model_version_id", "model_versions.id"),
    integer("version", "Number of the version."),
    real("value", "The last value; always finite."),
    integer("position", "Rank among the versions of the model, 1 for the largest value; equal values share a rank."),
    integer("rank_ascending", "Rank where smaller values are better, 1 for the smallest."),
    text("better", "higher or lower: which values are better, by metric_directions; NULL if unknown."),
    flag("is_best", "Whether no version of the model is better; NULL if better is unknown."),
    flag("is_latest", "Whether it is the latest version of its model, according to the source."),
    comment="The last value of each metric of each version, ranked among the versions of its model. A version "
    "whose last value is not finite is left out.",
)
