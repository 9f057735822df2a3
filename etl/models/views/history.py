"""Views that say since when."""

from sqlalchemy import Table

from etl.models.views.columns import (
    FOUND_AT_COMMENT,
    IS_EXACT_COMMENT,
    NOT_BEFORE_COMMENT,
    flag,
    integer,
    metadata,
    moment,
    real,
    text,
)

tag_history = Table(
    "tag_history",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Current name of the model."),
    text("ml_repo_name", "Current name of its ML repo."),
    text("model_version_id", "model_versions.id"),
    integer("version", "Number of the version."),
    text("tag", "The tag, in its original case."),
    moment("valid_from", FOUND_AT_COMMENT.format("")),
    flag("valid_from_is_exact", IS_EXACT_COMMENT),
    moment("not_before", NOT_BEFORE_COMMENT),
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
    integer("version", "Number of the version."),
    text("version_alias", "The alias, in its original case."),
    moment("valid_from", FOUND_AT_COMMENT.format("")),
    flag("valid_from_is_exact", IS_EXACT_COMMENT),
    moment("not_before", NOT_BEFORE_COMMENT),
    moment(
        "valid_to",
        "Start of the run that found another alias, none, or the version deleted, UTC; NULL while the alias is set.",
    ),
    comment="Each period in which a version had an alias.",
)

production_label_history = Table(
    "production_label_history",
    metadata,
    text("model_id", "models.id"),
    text("model_version_id", "model_versions.id"),
    text("source", "tag or alias."),
    text("label", "The tag or alias, in its original case; production_words has the words that count."),
    moment("valid_from", FOUND_AT_COMMENT.format("")),
    flag("valid_from_is_exact", IS_EXACT_COMMENT),
    moment("not_before", NOT_BEFORE_COMMENT),
    moment("valid_to", "Start of the run that found it removed or the version deleted, UTC; NULL while it is set."),
    moment("since_at", "The valid_from of the first period in the same stretch in production, UTC."),
    flag("since_is_exact", "Like valid_from_is_exact, for since_at."),
    moment("since_not_before", "Like not_before, for since_at, UTC."),
    moment("until_at", "End of that stretch, UTC; NULL while the version is in production."),
    comment="Each period in which a tag or an alias marked a version as in production.",
)

production_history = Table(
    "production_history",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Current name of the model."),
    text("ml_repo_name", "Current name of its ML repo."),
    text("model_version_id", "model_versions.id"),
    integer("version", "Number of the version."),
    text("labels", "The tags and aliases that marked it in this time, the first one first."),
    moment("valid_from", FOUND_AT_COMMENT.format(" in production")),
    flag("valid_from_is_exact", IS_EXACT_COMMENT),
    moment("not_before", NOT_BEFORE_COMMENT),
    moment(
        "valid_to",
        "Start of the run that found no such label, or the version deleted, UTC; NULL while it is in production.",
    ),
    real(
        "duration_seconds",
        "Seconds from valid_from to valid_to, or until now. If valid_from is not exact, it may have lasted longer.",
    ),
    real(
        "lead_time_seconds",
        "Seconds from the creation of the version to valid_from; NULL if not exact, or not the first known time.",
    ),
    integer("previous_version", "Version that entered production before it: the newest if several did together."),
    integer("next_version", "Version that entered production after it: the newest if several did together."),
    text(
        "change",
        "first: none is known before it; promotion: newer than previous_version, which may still be in "
        "production; rollback: older; return: the same. NULL without numbers.",
    ),
    comment="Each stretch in which a version was in production without a break, under whatever label. "
    "The source does not say who promoted it.",
)

model_timeline = Table(
    "model_timeline",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Current name of the model."),
    moment("observed_at", "Start of the run that found the change, UTC. It happened before that run ended."),
    text("run_id", "sync_runs.id of that run."),
    text("entity", "models or model_versions."),
    text("entity_id", "Id of the model or version that changed."),
    integer("version", "Number of the version; NULL if the model itself changed."),
    text("kind", "created, updated, deleted, restored, tag_added or tag_removed."),
    text("field", "Column, or path such as metadata.team or metrics.auc."),
    text("old_value", "Before."),
    text("new_value", "After."),
    comment="All changes of a model and of its versions, in one list.",
)
