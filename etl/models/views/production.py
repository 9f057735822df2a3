"""Views of what is in production now."""

from sqlalchemy import Table

from etl.models.views.columns import IS_EXACT_COMMENT, NOT_BEFORE_COMMENT, flag, integer, metadata, moment, text

production_versions = Table(
    "production_versions",
    metadata,
    text("tag", "The tag or alias that marks it, such as prod, Production, env:live, stage=champion or v1-prod."),
    text("model_version_id", "model_versions.id"),
    text("model_id", "models.id of its model."),
    text("model_name", "Name of its model."),
    text("ml_repo_name", "Name of its ML repo."),
    integer("version", "Number of the version."),
    text("version_alias", "Its alias, if it has one."),
    text("framework_type", "Framework of the version."),
    text("base_model", "Base model of a transformers model."),
    text("python_version", "Python version of its environment, as written."),
    flag("deployable", "Whether the control plane can deploy it; NULL if the source does not say."),
    text("created_by_id", "subjects.id of the creator of the version."),
    text("created_by", "Creator of the version: display name, else slug, else id."),
    moment("created_at", "When it was created, UTC."),
    moment("updated_at", "Last change according to the source, UTC; some changes do not update it."),
    moment(
        "since_at",
        "Start of the first run known to have found the version in production, where it has been since, under whatever "
        "label, UTC. It entered after not_before, and before that run ended (sync_runs.finished_at).",
    ),
    flag("since_is_exact", IS_EXACT_COMMENT),
    moment("not_before", NOT_BEFORE_COMMENT),
    moment("label_since_at", "Start of the first run known to have found this tag or alias, UTC."),
    flag("label_since_is_exact", "Like since_is_exact, for label_since_at."),
    moment(
        "superseded_at",
        "Start of the run that found a later version, UTC, where the source lists only latest versions; else NULL.",
    ),
    comment="Versions that a tag or an alias marks as in production: one row for each such label. "
    "The source does not say who promoted them.",
)

production_models = Table(
    "production_models",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Name within its ML repo."),
    text("ml_repo_name", "Name of its ML repo."),
    integer("production_versions", "Number of its versions that are in production; 0 if none is."),
    integer("newest_production_version", "Largest number among those versions."),
    integer("latest_version", "Number of its latest version, according to the source; else the largest number."),
    integer(
        "versions_behind",
        "Number of its stored versions after newest_production_version that are not deleted; NULL if none is in "
        "production.",
    ),
    moment(
        "production_since_at",
        "Like since_at of production_versions, for newest_production_version, UTC.",
    ),
    flag("production_since_is_exact", IS_EXACT_COMMENT),
    moment("production_not_before", NOT_BEFORE_COMMENT),
    comment="Every model that is not deleted, with what it has in production and how far that is behind.",
)
