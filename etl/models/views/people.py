"""Views of who created the records."""

from sqlalchemy import Table

from etl.models.views.columns import integer, metadata, moment, text

authorship = Table(
    "authorship",
    metadata,
    text("author_kind", "person, service account, unknown, or another type of the source."),
    text("subject_id", "subjects.id; NULL if the source does not say."),
    text("display_name", "Display name, else slug, else id."),
    integer("models", "Models created."),
    integer("versions", "Versions created."),
    integer(
        "production_versions", "Those of them that are in production; production_versions.created_by_id lists them."
    ),
    moment("last_created_at", "When the newest record was created, UTC."),
    comment="Creators of the models and versions: people and service accounts.",
)

former_authors = Table(
    "former_authors",
    metadata,
    text("author_kind", "person, service account, unknown, or another type of the source."),
    text("subject_id", "subjects.id"),
    text("display_name", "Display name, else slug, else id."),
    integer("models", "Models created, all deleted by now."),
    integer("versions", "Versions created, all deleted by now."),
    moment("last_created_at", "When the newest of their records was created, UTC."),
    moment("last_deleted_at", "Start of the run that found the last of them missing, UTC; NULL if none is stored."),
    comment="Subjects that no ML repo, model or version names as its creator any more.",
)
