"""Views that say since when."""

from sqlalchemy import Table

from etl.models.views.columns import flag, metadata, moment, text, whole

tag_history = Table(
    "tag_history",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Current name of the model."),
    text("ml_repo_name", "Current name of its ML repo."),
    text("model_version_id", "model_versions.id"),
    whole("version", "Number of the version."),
    text("tag", "The tag, in its original case."),
    moment("valid_from", "Start of the run that first found it, UTC."),
    flag(
        "valid_from_is_exact",
        "False if it existed at the first load, or if the change was pruned: the start may be earlier.",
    ),
    moment(
        "valid_to",
        "Start of the run that found the tag removed or the version deleted, UTC; NULL while the tag is set.",
    ),
    comment="Each period in which a version had a tag.",
)

alias_history = Table(
    "alias_history",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Current name of the model."),
    text("ml_repo_name", "Current name of its ML repo."),
    text("model_version_id", "model_versions.id"),
    whole("version", "Number of the version."),
    text("version_alias", "The alias, in its original case."),
    moment("valid_from", "Start of the run that first found it, UTC."),
    flag(
        "valid_from_is_exact",
        "False if it existed at the first load, or if the change was pruned: the start may be earlier.",
    ),
    moment(
        "valid_to",
        "Start of the run that found another alias, none, or the version deleted, UTC; NULL while the alias is set.",
    ),
    comment="Each period in which a version had an alias.",
)

model_timeline = Table(
    "model_timeline",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Current name of the model."),
    moment("observed_at", "Start of the run that found the change, UTC."),
    text("run_id", "sync_runs.id of that run."),
    text("entity", "models or model_versions."),
    text("entity_id", "Id of the model or version that changed."),
    whole("version", "Number of the version; NULL if the model itself changed."),
    text("kind", "created, updated, deleted, restored, tag_added or tag_removed."),
    text("field", "Column, or path such as metadata.team or metrics.auc."),
    text("old_value", "Before."),
    text("new_value", "After."),
    comment="All changes of a model and of its versions, in one list.",
)
