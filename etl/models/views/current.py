"""Views of what the source has now, and of the copy itself."""

from sqlalchemy import Table

from etl.models.views.columns import flag, integer, metadata, moment, real, text

current_models = Table(
    "current_models",
    metadata,
    text("id", "models.id"),
    text("ml_repo_id", "ml_repos.id of its ML repo."),
    text("ml_repo_name", "Name of its ML repo."),
    text("name", "Name within its ML repo."),
    text("fqn", "model:{tenant}/{ml_repo}/{model}"),
    text("created_by_id", "subjects.id of its creator."),
    text("created_by", "Its creator: display name, else slug, else id."),
    moment("created_at", "When it was created, UTC."),
    moment("updated_at", "Last change according to the source, UTC; some changes do not update it."),
    text(
        "latest_version_id",
        "model_versions.id of the latest version, according to the source; NULL for a model without versions.",
    ),
    integer("latest_version", "Number of that version."),
    text("version_alias", "Alias of that version."),
    text("framework_type", "Framework of that version."),
    text("tags", "Tags of that version, separated by commas."),
    integer("version_count", "Number of its versions that are not deleted."),
    comment="Models that are not deleted, with ML repo, creator and latest version.",
)

current_model_versions = Table(
    "current_model_versions",
    metadata,
    text("id", "model_versions.id"),
    text("model_id", "models.id of its model."),
    text("model_name", "Name of its model."),
    text("ml_repo_id", "ml_repos.id of its ML repo."),
    text("ml_repo_name", "Name of its ML repo."),
    text("fqn", "model:{tenant}/{ml_repo}/{model}:{version}"),
    integer("version", "Number of the version."),
    text("version_alias", "Readable alias such as v1-prod."),
    text("description", "Free-text description."),
    text("source_type", "truefoundry, external, local or another type of the source."),
    text("source_uri", "Location of its files."),
    text("framework_type", "transformers, sklearn, xgboost or another type of the source."),
    text("base_model", "Base model of a transformers model."),
    text("python_version", "Python version of its environment, as written."),
    flag("deployable", "Whether the control plane can deploy it; NULL if the source does not say."),
    integer("artifact_size_bytes", "Size of its files, in bytes."),
    text("created_by_id", "subjects.id of its creator."),
    text("created_by", "Its creator: display name, else slug, else id."),
    moment("created_at", "When it was created, UTC."),
    moment("updated_at", "Last change according to the source, UTC; some changes do not update it."),
    flag("is_latest", "Whether it is the latest version of its model, according to the source."),
    text("tags", "Its tags, separated by commas."),
    moment(
        "superseded_at",
        "Start of the run that found a later version, UTC, where the source lists only latest versions; else NULL.",
    ),
    comment="Versions that are not deleted, with model, ML repo, creator and tags.",
)

tag_assignments = Table(
    "tag_assignments",
    metadata,
    text("tag", "The tag, in its original case."),
    text("model_version_id", "model_versions.id of a version with this tag."),
    text("model_id", "models.id of its model."),
    text("model_name", "Name of its model."),
    text("ml_repo_name", "Name of its ML repo."),
    integer("version", "Number of the version."),
    text("fqn", "model:{tenant}/{ml_repo}/{model}:{version}"),
    moment(
        "superseded_at",
        "Start of the run that found a later version, UTC, where the source lists only latest versions; else NULL.",
    ),
    comment="Each tag with the versions that have it now.",
)

latest_metrics = Table(
    "latest_metrics",
    metadata,
    text("model_version_id", "model_versions.id"),
    text("model_id", "models.id of its model."),
    text("key", "Name of the metric."),
    real("value", "The last value; NULL if it was null or not finite."),
    text("value_special", "NaN, Infinity or -Infinity if that was the last value; otherwise NULL."),
    integer("step", "Training step of that value."),
    moment("logged_at", "When it was logged, UTC."),
    comment="The last value of each metric of each version that is not deleted.",
)

sync_freshness = Table(
    "sync_freshness",
    metadata,
    text("scope", "all, or the filters as canonical JSON; long JSON is cut and hashed."),
    text("last_complete_run_id", "sync_runs.id of the last complete run."),
    moment("last_complete_at", "Start of that run, UTC."),
    real("age_seconds", "Seconds since then."),
    moment("last_full_at", "Start of the last complete run that compared every version, UTC."),
    text("coverage", "Of that run: all, every version; latest, only the latest version of each model."),
    moment("watermark", "Largest updated_at of a complete run, never after its start, UTC."),
    integer("models", "Models that are not deleted, in all scopes."),
    integer("model_versions", "Versions that are not deleted, in all scopes."),
    integer("rejected", "Records that the last complete run could not store."),
    comment="Age of the last complete run of each scope, and the number of models and versions that are not deleted.",
)

version_coverage = Table(
    "version_coverage",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Name within its ML repo."),
    text("ml_repo_name", "Name of its ML repo."),
    integer(
        "highest_version", "Largest number among its stored versions, deleted ones included; NULL if none has one."
    ),
    integer("stored_versions", "Stored versions that are not deleted."),
    integer("missing_versions", "Numbers from 1 to the largest of which no version was ever stored."),
    comment="Stored versions of each model, and missing versions by the gaps in their numbers. "
    "Versions that were deleted before the first run count as missing too.",
)

version_metadata = Table(
    "version_metadata",
    metadata,
    text("model_version_id", "model_versions.id"),
    text("model_id", "models.id of its model."),
    text("model_name", "Name of its model."),
    text("ml_repo_name", "Name of its ML repo."),
    integer("version", "Number of the version."),
    flag("is_latest", "Whether it is the latest version of its model, according to the source."),
    text("key", "Key at the top level of the metadata, such as team."),
    text(
        "value",
        "Its value as text, a list or an object as JSON; NULL for null. SQLite keeps 15 digits of a number with a "
        "fraction, and PostgreSQL sorts the keys of an object.",
    ),
    comment="Metadata of the versions that are not deleted: one row for each key.",
)
