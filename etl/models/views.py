"""The views for analysts, as read-only tables. Migrations create the views, and tests compare both.

Only this module has the comments of their columns. Except for history, views show records that are not deleted.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Column, Double, MetaData, Table

from etl.models.types import RegistryText, UtcDateTime

# A separate MetaData, because Alembic compares Base.metadata with the tables.
metadata = MetaData()


def _text(name: str, comment: str) -> Column[str]:
    return Column(name, RegistryText, comment=comment)


def _whole(name: str, comment: str) -> Column[int]:
    return Column(name, BigInteger, comment=comment)


def _real(name: str, comment: str) -> Column[float]:
    return Column(name, Double, comment=comment)


def _flag(name: str, comment: str) -> Column[bool]:
    return Column(name, Boolean, comment=comment)


def _moment(name: str, comment: str) -> Column[datetime]:
    return Column(name, UtcDateTime, comment=comment)


current_models = Table(
    "current_models",
    metadata,
    _text("id", "models.id"),
    _text("ml_repo_id", "ml_repos.id of its ML repo."),
    _text("ml_repo_name", "Name of its ML repo."),
    _text("name", "Name within its ML repo."),
    _text("fqn", "model:{tenant}/{ml_repo}/{model}"),
    _text("created_by_id", "subjects.id of its creator."),
    _text("created_by", "Its creator: display name, else slug, else id."),
    _moment("created_at", "When it was created, UTC."),
    _moment("updated_at", "Last change according to the source, UTC; some changes do not update it."),
    _text(
        "latest_version_id",
        "model_versions.id of the latest version, according to the source; NULL for a model without versions.",
    ),
    _whole("latest_version", "Number of that version."),
    _text("version_alias", "Alias of that version."),
    _text("framework_type", "Framework of that version."),
    _text("tags", "Tags of that version, separated by commas."),
    _whole("version_count", "Number of its versions that are not deleted."),
    comment="Models that are not deleted, with ML repo, creator and latest version.",
)

current_model_versions = Table(
    "current_model_versions",
    metadata,
    _text("id", "model_versions.id"),
    _text("model_id", "models.id of its model."),
    _text("model_name", "Name of its model."),
    _text("ml_repo_id", "ml_repos.id of its ML repo."),
    _text("ml_repo_name", "Name of its ML repo."),
    _text("fqn", "model:{tenant}/{ml_repo}/{model}:{version}"),
    _whole("version", "Number of the version."),
    _text("version_alias", "Readable alias such as v1-prod."),
    _text("description", "Free-text description."),
    _text("source_type", "truefoundry, external, local or another type of the source."),
    _text("source_uri", "Location of its files."),
    _text("framework_type", "transformers, sklearn, xgboost or another type of the source."),
    _text("base_model", "Base model of a transformers model."),
    _text("python_version", "Python version of its environment, as written."),
    _flag("deployable", "Whether the control plane can deploy it; NULL if the source does not say."),
    _whole("artifact_size_bytes", "Size of its files, in bytes."),
    _text("created_by_id", "subjects.id of its creator."),
    _text("created_by", "Its creator: display name, else slug, else id."),
    _moment("created_at", "When it was created, UTC."),
    _moment("updated_at", "Last change according to the source, UTC; some changes do not update it."),
    _flag("is_latest", "Whether it is the latest version of its model, according to the source."),
    _text("tags", "Its tags, separated by commas."),
    _moment(
        "superseded_at",
        "Start of the run that found a later version, UTC, where the source lists only latest versions; else NULL.",
    ),
    comment="Versions that are not deleted, with model, ML repo, creator and tags.",
)

tag_assignments = Table(
    "tag_assignments",
    metadata,
    _text("tag", "The tag, in its original case."),
    _text("model_version_id", "model_versions.id of a version with this tag."),
    _text("model_id", "models.id of its model."),
    _text("model_name", "Name of its model."),
    _text("ml_repo_name", "Name of its ML repo."),
    _whole("version", "Number of the version."),
    _text("fqn", "model:{tenant}/{ml_repo}/{model}:{version}"),
    _moment(
        "superseded_at",
        "Start of the run that found a later version, UTC, where the source lists only latest versions; else NULL.",
    ),
    comment="Each tag with the versions that have it now.",
)

latest_metrics = Table(
    "latest_metrics",
    metadata,
    _text("model_version_id", "model_versions.id"),
    _text("key", "Name of the metric."),
    _real("value", "The last value; NULL if it was null or not finite."),
    _text("value_special", "NaN, Infinity or -Infinity if that was the last value; otherwise NULL."),
    _whole("step", "Training step of that value."),
    _moment("logged_at", "When it was logged, UTC."),
    comment="The last value of each metric of each version that is not deleted.",
)

sync_freshness = Table(
    "sync_freshness",
    metadata,
    _text("scope", "all, or the filters as canonical JSON; long JSON is cut and hashed."),
    _text("last_complete_run_id", "sync_runs.id of the last complete run."),
    _moment("last_complete_at", "Start of that run, UTC."),
    _real("age_seconds", "Seconds since then."),
    _moment("last_full_at", "Start of the last complete run that compared every version, UTC."),
    _text("coverage", "Of that run: all, every version; latest, only the latest version of each model."),
    _moment("watermark", "Largest updated_at of a complete run, never after its start, UTC."),
    _whole("models", "Models that are not deleted, in all scopes."),
    _whole("model_versions", "Versions that are not deleted, in all scopes."),
    _whole("rejected", "Records that the last complete run could not store."),
    comment="Age of the last complete run of each scope, and the number of models and versions that are not deleted.",
)

tag_history = Table(
    "tag_history",
    metadata,
    _text("model_id", "models.id"),
    _text("model_name", "Current name of the model."),
    _text("ml_repo_name", "Current name of its ML repo."),
    _text("model_version_id", "model_versions.id"),
    _whole("version", "Number of the version."),
    _text("tag", "The tag, in its original case."),
    _moment("valid_from", "Start of the run that first found it, UTC."),
    _flag(
        "valid_from_is_exact",
        "False if it existed at the first load, or if the change was pruned: the start may be earlier.",
    ),
    _moment(
        "valid_to",
        "Start of the run that found the tag removed or the version deleted, UTC; NULL while the tag is set.",
    ),
    comment="Each period in which a version had a tag.",
)

alias_history = Table(
    "alias_history",
    metadata,
    _text("model_id", "models.id"),
    _text("model_name", "Current name of the model."),
    _text("ml_repo_name", "Current name of its ML repo."),
    _text("model_version_id", "model_versions.id"),
    _whole("version", "Number of the version."),
    _text("version_alias", "The alias, in its original case."),
    _moment("valid_from", "Start of the run that first found it, UTC."),
    _flag(
        "valid_from_is_exact",
        "False if it existed at the first load, or if the change was pruned: the start may be earlier.",
    ),
    _moment(
        "valid_to",
        "Start of the run that found another alias, none, or the version deleted, UTC; NULL while the alias is set.",
    ),
    comment="Each period in which a version had an alias.",
)

model_timeline = Table(
    "model_timeline",
    metadata,
    _text("model_id", "models.id"),
    _text("model_name", "Current name of the model."),
    _moment("observed_at", "Start of the run that found the change, UTC."),
    _text("run_id", "sync_runs.id of that run."),
    _text("entity", "models or model_versions."),
    _text("entity_id", "Id of the model or version that changed."),
    _whole("version", "Number of the version; NULL if the model itself changed."),
    _text("kind", "created, updated, deleted, restored, tag_added or tag_removed."),
    _text("field", "Column, or path such as metadata.team or metrics.auc."),
    _text("old_value", "Before."),
    _text("new_value", "After."),
    comment="All changes of a model and of its versions, in one list.",
)

inventory = Table(
    "inventory",
    metadata,
    _text("ml_repo_id", "ml_repos.id"),
    _text("ml_repo_name", "Name of the ML repo."),
    _text("created_by", "Creator of the model, else of the version: display name, else slug, else id."),
    _text("framework_type", "Framework of the versions; NULL for versions without one and for empty models."),
    _whole(
        "models",
        "Models with such versions, or without any; a model with two frameworks counts in both rows.",
    ),
    _whole("versions", "Versions with this ML repo, creator and framework."),
    _whole("artifact_size_bytes", "Total size of their files in bytes; versions of unknown size count as 0."),
    comment="Models and versions by ML repo, creator and framework.",
)

production_versions = Table(
    "production_versions",
    metadata,
    _text("tag", "The tag or alias that marks it, such as prod, Production, env:live, stage=champion or v1-prod."),
    _text("model_version_id", "model_versions.id"),
    _text("model_id", "models.id of its model."),
    _text("model_name", "Name of its model."),
    _text("ml_repo_name", "Name of its ML repo."),
    _whole("version", "Number of the version."),
    _text("version_alias", "Its alias, if it has one."),
    _text("framework_type", "Framework of the version."),
    _text("base_model", "Base model of a transformers model."),
    _text("python_version", "Python version of its environment, as written."),
    _flag("deployable", "Whether the control plane can deploy it; NULL if the source does not say."),
    _text("created_by", "Creator of the version: display name, else slug, else id."),
    _moment("created_at", "When it was created, UTC."),
    _moment("updated_at", "Last change according to the source, UTC; some changes do not update it."),
    _moment("since_at", "Since when the version has the tag or alias, UTC."),
    _flag(
        "since_is_exact",
        "False if it existed at the first load, or if the change was pruned: the start may be earlier.",
    ),
    _moment(
        "superseded_at",
        "Start of the run that found a later version, UTC, where the source lists only latest versions; else NULL.",
    ),
    comment="Versions that a tag or an alias marks as in production.",
)

undocumented_models = Table(
    "undocumented_models",
    metadata,
    _text("model_id", "models.id"),
    _text("model_name", "Name within its ML repo."),
    _text("ml_repo_name", "Name of its ML repo."),
    _text("created_by", "Its creator: display name, else slug, else id."),
    _flag("has_description", "Whether its latest version has a description that is not blank."),
    _flag("has_creator", "Whether the source says who created it."),
    _flag("has_tags", "Whether one of its versions has a tag."),
    _flag("is_empty", "Whether it has no version."),
    _moment("created_at", "When it was created, UTC."),
    comment="Models without a description, a creator or tags.",
)

stale_models = Table(
    "stale_models",
    metadata,
    _text("model_id", "models.id"),
    _text("model_name", "Name within its ML repo."),
    _text("ml_repo_name", "Name of its ML repo."),
    _text("created_by", "Its creator: display name, else slug, else id."),
    _whole("version_count", "Number of its versions that are not deleted."),
    _moment(
        "last_version_at",
        "When the newest version was created, UTC; when it was first seen if the source does not say.",
    ),
    _whole("days_since_last_version", "Whole days since then; NULL for a model without versions."),
    comment="Every model with the days since its last version.",
)

deployability = Table(
    "deployability",
    metadata,
    _text("ml_repo_id", "ml_repos.id"),
    _text("ml_repo_name", "Name of the ML repo."),
    _flag("deployable", "Whether the control plane can deploy them; NULL if the source does not say."),
    _whole("models", "Models whose latest version has this value."),
    _whole("versions", "Versions with this value."),
    comment="Number of models and versions that the control plane can deploy.",
)

base_model_usage = Table(
    "base_model_usage",
    metadata,
    _text("base_model", "Base model of transformers models."),
    _whole("models", "Models with such versions."),
    _whole("versions", "Versions based on it."),
    comment="Base models in use.",
)

python_usage = Table(
    "python_usage",
    metadata,
    _text("python_version", "Python version of the environment, as written."),
    _text("minor", "Its first two numbers, such as 3.9; NULL if it does not begin with two numbers."),
    _whole("models", "Models with such versions."),
    _whole("versions", "Such versions."),
    comment="Python versions in use.",
)

package_usage = Table(
    "package_usage",
    metadata,
    _text("name", "Normalised name of the package; NULL if the requirement does not parse."),
    _text("specifier", "Version specifier, such as ==1.4.2."),
    _text("model_version_id", "model_versions.id of the version that requires it."),
    _text("model_id", "models.id of its model."),
    _text("model_name", "Name of its model."),
    _text("ml_repo_name", "Name of its ML repo."),
    _whole("version", "Number of the version."),
    _flag("is_latest", "Whether it is the latest version of its model, according to the source."),
    _text("requirement", "The requirement as written."),
    comment="Packages that each version requires.",
)

metric_leaderboard = Table(
    "metric_leaderboard",
    metadata,
    _text("key", "Name of the metric."),
    _whole("position", "Rank among all versions, 1 for the largest value; equal values share a rank."),
    _text("model_version_id", "model_versions.id"),
    _text("model_id", "models.id of its model."),
    _text("model_name", "Name of its model."),
    _text("ml_repo_name", "Name of its ML repo."),
    _whole("version", "Number of the version."),
    _real("value", "The last value; always finite."),
    _whole("rank_ascending", "Rank where smaller values are better, 1 for the smallest."),
    comment="The last finite value of each metric of each version, ranked.",
)

metric_changes = Table(
    "metric_changes",
    metadata,
    _text("model_id", "models.id"),
    _text("model_name", "Name of the model."),
    _text("ml_repo_name", "Name of its ML repo."),
    _text("key", "Name of the metric."),
    _whole("from_version", "Number of the earlier version."),
    _whole("to_version", "Number of the later version."),
    _real("from_value", "Last value at the earlier version."),
    _real("to_value", "Last value at the later version."),
    _real("change", "The later value minus the earlier; NULL if a value exceeds 8e307."),
    _real(
        "relative_change",
        "The change divided by the absolute earlier value; NULL if that is 0, or if a value exceeds 1e150.",
    ),
    comment="Each metric of a version compared with the previous version, by number, that has it too.",
)

storage_by_ml_repo = Table(
    "storage_by_ml_repo",
    metadata,
    _text("ml_repo_id", "ml_repos.id"),
    _text("ml_repo_name", "Name of the ML repo."),
    _whole("models", "Models in it."),
    _whole("versions", "Versions in it."),
    _whole("versions_without_size", "Versions whose size is unknown or impossible: below 0 or above 1e15."),
    _whole("artifact_size_bytes", "Total size of the other versions, in bytes."),
    comment="Size of the artifacts in each ML repo.",
)

authorship = Table(
    "authorship",
    metadata,
    _text("author_kind", "person, service account, unknown, or another type of the source."),
    _text("subject_id", "subjects.id; NULL if the source does not say."),
    _text("display_name", "Display name, else slug, else id."),
    _whole("models", "Models created."),
    _whole("versions", "Versions created."),
    _moment("last_created_at", "When the newest record was created, UTC."),
    comment="Creators of the models and versions: people and service accounts.",
)

growth = Table(
    "growth",
    metadata,
    _text("day", "Day in UTC, YYYY-MM-DD."),
    _text("ml_repo_id", "ml_repos.id"),
    _text("ml_repo_name", "Name of the ML repo."),
    _whole("models_created", "Models created on that day and not deleted."),
    _whole("versions_created", "Versions created on that day and not deleted."),
    comment="Models and versions that are not deleted, by day of creation.",
)

version_coverage = Table(
    "version_coverage",
    metadata,
    _text("model_id", "models.id"),
    _text("model_name", "Name within its ML repo."),
    _text("ml_repo_name", "Name of its ML repo."),
    _whole("highest_version", "Largest number among its stored versions, deleted ones included; NULL if none has one."),
    _whole("stored_versions", "Stored versions that are not deleted."),
    _whole("missing_versions", "Numbers from 1 to the largest of which no version was ever stored."),
    comment="Stored versions of each model, and missing versions by the gaps in their numbers. "
    "Versions that were deleted before the first run count as missing too.",
)
