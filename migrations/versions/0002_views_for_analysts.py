"""Views for analysts.

Revision 0002, after 0001.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# In `{}`: what SQLite and PostgreSQL say differently.
CURRENT_MODELS = """
SELECT m.id, m.ml_repo_id, r.name AS ml_repo_name, m.name, m.fqn,
       m.created_by_id, COALESCE(s.display_name, s.slug, m.created_by_id) AS created_by,
       m.created_at, m.updated_at, m.latest_version_id,
       v.version AS latest_version, v.version_alias, v.framework_type, {tags} AS tags,
       (SELECT COUNT(*) FROM model_versions a WHERE a.model_id = m.id AND a.deleted_at IS NULL) AS version_count
FROM models m
LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
LEFT JOIN subjects s ON s.id = m.created_by_id
LEFT JOIN model_versions v ON v.id = m.latest_version_id AND v.deleted_at IS NULL
WHERE m.deleted_at IS NULL
"""

CURRENT_MODEL_VERSIONS = """
SELECT v.id, v.model_id, m.name AS model_name, v.ml_repo_id, r.name AS ml_repo_name, v.fqn, v.version,
       v.version_alias, v.description, v.source_type, v.source_uri, v.framework_type, v.base_model,
       v.python_version, v.deployable, v.artifact_size_bytes,
       v.created_by_id, COALESCE(s.display_name, s.slug, v.created_by_id) AS created_by,
       v.created_at, v.updated_at, COALESCE(m.latest_version_id = v.id, FALSE) AS is_latest, {tags} AS tags
FROM model_versions v
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = v.ml_repo_id
LEFT JOIN subjects s ON s.id = v.created_by_id
WHERE v.deleted_at IS NULL
"""

TAG_ASSIGNMENTS = """
SELECT t.tag, v.id AS model_version_id, v.model_id, m.name AS model_name, r.name AS ml_repo_name, v.version, v.fqn
FROM model_version_tags t
JOIN model_versions v ON v.id = t.model_version_id AND v.deleted_at IS NULL
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = v.ml_repo_id
"""

# The last value is that of the greatest step, then of the latest time, then of the last place in the list.
LATEST_METRICS = """
SELECT model_version_id, key, value, value_special, step, logged_at
FROM (
    SELECT x.model_version_id, x.key, x.value, x.value_special, x.step, x.logged_at,
           ROW_NUMBER() OVER (
               PARTITION BY x.model_version_id, x.key
               ORDER BY x.step DESC NULLS LAST, x.timestamp_ms DESC NULLS LAST, x.position DESC
           ) AS place
    FROM model_version_metrics x
    JOIN model_versions v ON v.id = x.model_version_id AND v.deleted_at IS NULL
) ranked
WHERE place = 1
"""

SYNC_FRESHNESS = """
SELECT f.scope, f.last_complete_run_id, f.last_complete_at, {age} AS age_seconds, f.last_full_at, f.watermark,
       (SELECT COUNT(*) FROM models m WHERE m.deleted_at IS NULL) AS models,
       (SELECT COUNT(*) FROM model_versions v WHERE v.deleted_at IS NULL) AS model_versions,
       COALESCE((SELECT SUM(c.rejected) FROM sync_run_counts c WHERE c.run_id = f.last_complete_run_id), 0) AS rejected
FROM sync_scopes f
"""

DIFFERENCES = {
    "sqlite": {
        "tags": "(SELECT GROUP_CONCAT(tag, ', ') FROM (SELECT t.tag FROM model_version_tags t "
        "WHERE t.model_version_id = v.id ORDER BY t.position))",
        "age": "(julianday('now') - julianday(f.last_complete_at)) * 86400.0",
    },
    "postgresql": {
        "tags": "(SELECT STRING_AGG(t.tag, ', ' ORDER BY t.position) FROM model_version_tags t "
        "WHERE t.model_version_id = v.id)",
        "age": "EXTRACT(EPOCH FROM now() - f.last_complete_at)::double precision",
    },
}

# In the order in which they can be created.
VIEWS = {
    "current_models": (
        CURRENT_MODELS,
        "Models that the source has now, with repo, creator and latest version.",
    ),
    "current_model_versions": (
        CURRENT_MODEL_VERSIONS,
        "Versions that the source has now, with model, repo, creator and tags.",
    ),
    "tag_assignments": (TAG_ASSIGNMENTS, "Each tag with the versions that carry it now."),
    "latest_metrics": (
        LATEST_METRICS,
        "The last value of each metric of each version that the source has now.",
    ),
    "sync_freshness": (SYNC_FRESHNESS, "Age of the last complete run of each scope, and what is live in the tables."),
}


def upgrade() -> None:
    """Create the views."""
    dialect = op.get_bind().dialect.name
    for name, (query, comment) in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query.format(**DIFFERENCES[dialect])}")
        if dialect == "postgresql":
            op.execute(f"COMMENT ON VIEW {name} IS '{comment}'")


def downgrade() -> None:
    """Drop them."""
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
