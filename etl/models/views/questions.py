"""Views for questions that are asked often."""

from sqlalchemy import Table

from etl.models.views.columns import flag, metadata, moment, real, text, whole

inventory = Table(
    "inventory",
    metadata,
    text("ml_repo_id", "ml_repos.id"),
    text("ml_repo_name", "Name of the ML repo."),
    text("created_by", "Creator of the model, else of the version: display name, else slug, else id."),
    text("framework_type", "Framework of the versions; NULL for versions without one and for empty models."),
    whole(
        "models",
        "Models with such versions, or without any; a model with two frameworks counts in both rows.",
    ),
    whole("versions", "Versions with this ML repo, creator and framework."),
    whole("artifact_size_bytes", "Total size of their files in bytes; versions of unknown size count as 0."),
    comment="Models and versions by ML repo, creator and framework.",
)

production_versions = Table(
    "production_versions",
    metadata,
    text("tag", "The tag or alias that marks it, such as prod, Production, env:live, stage=champion or v1-prod."),
    text("model_version_id", "model_versions.id"),
    text("model_id", "models.id of its model."),
    text("model_name", "Name of its model."),
    text("ml_repo_name", "Name of its ML repo."),
    whole("version", "Number of the version."),
    text("version_alias", "Its alias, if it has one."),
    text("framework_type", "Framework of the version."),
    text("base_model", "Base model of a transformers model."),
    text("python_version", "Python version of its environment, as written."),
    flag("deployable", "Whether the control plane can deploy it; NULL if the source does not say."),
    text("created_by", "Creator of the version: display name, else slug, else id."),
    moment("created_at", "When it was created, UTC."),
    moment("updated_at", "Last change according to the source, UTC; some changes do not update it."),
    moment("since_at", "Since when the version has the tag or alias, UTC."),
    flag(
        "since_is_exact",
        "False if it existed at the first load, or if the change was pruned: the start may be earlier.",
    ),
    moment(
        "superseded_at",
        "Start of the run that found a later version, UTC, where the source lists only latest versions; else NULL.",
    ),
    comment="Versions that a tag or an alias marks as in production.",
)

undocumented_models = Table(
    "undocumented_models",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Name within its ML repo."),
    text("ml_repo_name", "Name of its ML repo."),
    text("created_by", "Its creator: display name, else slug, else id."),
    flag("has_description", "Whether its latest version has a description that is not blank."),
    flag("has_creator", "Whether the source says who created it."),
    flag("has_tags", "Whether one of its versions has a tag."),
    flag("is_empty", "Whether it has no version."),
    moment("created_at", "When it was created, UTC."),
    comment="Models without a description, a creator or tags.",
)

stale_models = Table(
    "stale_models",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Name within its ML repo."),
    text("ml_repo_name", "Name of its ML repo."),
    text("created_by", "Its creator: display name, else slug, else id."),
    whole("version_count", "Number of its versions that are not deleted."),
    moment(
        "last_version_at",
        "When the newest version was created, UTC; when it was first seen if the source does not say.",
    ),
    whole("days_since_last_version", "Whole days since then; NULL for a model without versions."),
    comment="Every model with the days since its last version.",
)

deployability = Table(
    "deployability",
    metadata,
    text("ml_repo_id", "ml_repos.id"),
    text("ml_repo_name", "Name of the ML repo."),
    flag("deployable", "Whether the control plane can deploy them; NULL if the source does not say."),
    whole("models", "Models whose latest version has this value."),
    whole("versions", "Versions with this value."),
    comment="Number of models and versions that the control plane can deploy.",
)

base_model_usage = Table(
    "base_model_usage",
    metadata,
    text("base_model", "Base model of transformers models."),
    whole("models", "Models with such versions."),
    whole("versions", "Versions based on it."),
    comment="Base models in use.",
)

python_usage = Table(
    "python_usage",
    metadata,
    text("python_version", "Python version of the environment, as written."),
    text("minor", "Its first two numbers, such as 3.9; NULL if it does not begin with two numbers."),
    whole("models", "Models with such versions."),
    whole("versions", "Such versions."),
    comment="Python versions in use.",
)

package_usage = Table(
    "package_usage",
    metadata,
    text("name", "Normalised name of the package; NULL if the requirement does not parse."),
    text("specifier", "Version specifier, such as ==1.4.2."),
    text("model_version_id", "model_versions.id of the version that requires it."),
    text("model_id", "models.id of its model."),
    text("model_name", "Name of its model."),
    text("ml_repo_name", "Name of its ML repo."),
    whole("version", "Number of the version."),
    flag("is_latest", "Whether it is the latest version of its model, according to the source."),
    text("requirement", "The requirement as written."),
    comment="Packages that each version requires.",
)

metric_leaderboard = Table(
    "metric_leaderboard",
    metadata,
    text("key", "Name of the metric."),
    whole("position", "Rank among all versions, 1 for the largest value; equal values share a rank."),
    text("model_version_id", "model_versions.id"),
    text("model_id", "models.id of its model."),
    text("model_name", "Name of its model."),
    text("ml_repo_name", "Name of its ML repo."),
    whole("version", "Number of the version."),
    real("value", "The last value; always finite."),
    whole("rank_ascending", "Rank where smaller values are better, 1 for the smallest."),
    comment="The last finite value of each metric of each version, ranked.",
)

metric_changes = Table(
    "metric_changes",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Name of the model."),
    text("ml_repo_name", "Name of its ML repo."),
    text("key", "Name of the metric."),
    whole("from_version", "Number of the earlier version."),
    whole("to_version", "Number of the later version."),
    real("from_value", "Last value at the earlier version."),
    real("to_value", "Last value at the later version."),
    real("change", "The later value minus the earlier; NULL if a value exceeds 8e307."),
    real(
        "relative_change",
        "The change divided by the absolute earlier value; NULL if that is 0, or if a value exceeds 1e150.",
    ),
    comment="Each metric of a version compared with the previous version, by number, that has it too.",
)

storage_by_ml_repo = Table(
    "storage_by_ml_repo",
    metadata,
    text("ml_repo_id", "ml_repos.id"),
    text("ml_repo_name", "Name of the ML repo."),
    whole("models", "Models in it."),
    whole("versions", "Versions in it."),
    whole("versions_without_size", "Versions whose size is unknown or impossible: below 0 or above 1e15."),
    whole("artifact_size_bytes", "Total size of the other versions, in bytes."),
    comment="Size of the artifacts in each ML repo.",
)

authorship = Table(
    "authorship",
    metadata,
    text("author_kind", "person, service account, unknown, or another type of the source."),
    text("subject_id", "subjects.id; NULL if the source does not say."),
    text("display_name", "Display name, else slug, else id."),
    whole("models", "Models created."),
    whole("versions", "Versions created."),
    moment("last_created_at", "When the newest record was created, UTC."),
    comment="Creators of the models and versions: people and service accounts.",
)

growth = Table(
    "growth",
    metadata,
    text("day", "Day in UTC, YYYY-MM-DD."),
    text("ml_repo_id", "ml_repos.id"),
    text("ml_repo_name", "Name of the ML repo."),
    whole("models_created", "Models created on that day and not deleted."),
    whole("versions_created", "Versions created on that day and not deleted."),
    comment="Models and versions that are not deleted, by day of creation.",
)
