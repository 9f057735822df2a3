"""Views that give an overview: inventory, growth, usage, and models that need attention."""

from sqlalchemy import Table

from etl.models.views.columns import flag, integer, metadata, moment, text

inventory = Table(
    "inventory",
    metadata,
    text("ml_repo_id", "ml_repos.id"),
    text("ml_repo_name", "Name of the ML repo."),
    text("created_by", "Creator of the model, else of the version: display name, else slug, else id."),
    text(
        "framework_type",
        "Framework of the versions; NULL for versions without one, and in the row of models without versions.",
    ),
    integer(
        "models",
        "Models with such versions; a model with two frameworks counts in both rows. Models without versions "
        "have a row without framework.",
    ),
    integer("versions", "Versions with this ML repo, creator and framework."),
    integer(
        "artifact_size_bytes",
        "Total known size of their files, in bytes; 0 without versions, NULL if no size is known.",
    ),
    integer("versions_without_size", "Versions whose size is unknown or impossible: below 0 or above 1e15."),
    comment="Models and versions by ML repo, creator and framework.",
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

model_activity = Table(
    "model_activity",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Name within its ML repo."),
    text("ml_repo_name", "Name of its ML repo."),
    text("created_by", "Its creator: display name, else slug, else id."),
    moment("created_at", "When it was created, UTC."),
    integer("version_count", "Number of its versions that are not deleted."),
    moment(
        "last_version_at",
        "When the newest version was created, UTC; when it was first seen if the source does not say.",
    ),
    integer("days_since_last_version", "Whole days since then; NULL for a model without versions."),
    integer(
        "days_since_last_activity",
        "Whole days since the last version; for a model without versions, since it was created or first seen.",
    ),
    comment="Every model that is not deleted, with the days since its last version.",
)

stale_models = Table(
    "stale_models",
    metadata,
    text("model_id", "models.id"),
    text("model_name", "Name within its ML repo."),
    text("ml_repo_name", "Name of its ML repo."),
    text("created_by", "Its creator: display name, else slug, else id."),
    integer("version_count", "Number of its versions that are not deleted."),
    moment(
        "last_version_at",
        "When the newest version was created, UTC; when it was first seen if the source does not say.",
    ),
    integer("days_since_last_version", "Whole days since then; NULL for a model without versions."),
    comment="Models without a new version for more than 180 days, empty ones included; model_activity has all models.",
)

deployability = Table(
    "deployability",
    metadata,
    text("ml_repo_id", "ml_repos.id"),
    text("ml_repo_name", "Name of the ML repo."),
    flag("deployable", "Whether the control plane can deploy them; NULL if the source does not say."),
    integer("models", "Models whose latest version has this value."),
    integer("versions", "Versions with this value."),
    comment="Models and versions by whether the control plane can deploy them. Models without a stored latest "
    "version are not counted.",
)

base_model_usage = Table(
    "base_model_usage",
    metadata,
    text("base_model", "Base model of transformers models."),
    integer("models", "Models with such versions."),
    integer("versions", "Versions based on it."),
    comment="Base models in use.",
)

python_usage = Table(
    "python_usage",
    metadata,
    text("python_version", "Python version of the environment, as written."),
    text("minor", "Its first two numbers, such as 3.9; NULL if it does not begin with two numbers."),
    integer("models", "Models with such versions."),
    integer("versions", "Such versions."),
    comment="Python versions in use.",
)

package_usage = Table(
    "package_usage",
    metadata,
    text("name", "Normalised name of the package; NULL if the requirement does not parse."),
    text("specifier", "Version specifier, such as ==1.4.2."),
    text("pinned_version", "The version that == names, such as 1.4.2; NULL if the requirement allows several."),
    flag("is_pinned", "Whether the requirement allows one version only."),
    text("model_version_id", "model_versions.id of the version that requires it."),
    text("model_id", "models.id of its model."),
    text("model_name", "Name of its model."),
    text("ml_repo_name", "Name of its ML repo."),
    integer("version", "Number of the version."),
    flag("is_latest", "Whether it is the latest version of its model, according to the source."),
    text("requirement", "The requirement as written."),
    comment="Packages that each version requires.",
)

growth = Table(
    "growth",
    metadata,
    text("day", "Day in UTC, YYYY-MM-DD."),
    text("ml_repo_id", "ml_repos.id"),
    text("ml_repo_name", "Name of the ML repo."),
    integer("models_created", "Models created on that day and not deleted."),
    integer("versions_created", "Versions created on that day and not deleted."),
    comment="Models and versions that are not deleted, by day of creation. Those without a creation time are left out.",
)
