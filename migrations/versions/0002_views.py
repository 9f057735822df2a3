"""All views.

Revision 0002, after 0001. Each view is a query in migrations/sql. Do not change a released
file: a later revision that changes a view has its own file.
"""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

QUERIES = Path(__file__).parents[1] / "sql"
SHARED = Path(__file__).parents[1] / "shared"
"""Parts of queries that several views share."""

# In the order of their dependencies: production_versions reads the views of history, for example.
VIEWS = (
    "current_models",
    "current_model_versions",
    "tag_assignments",
    "latest_metrics",
    "sync_freshness",
    "tag_history",
    "alias_history",
    "model_timeline",
    "inventory",
    "production_label_history",
    "production_history",
    "production_versions",
    "production_models",
    "undocumented_models",
    "model_activity",
    "stale_models",
    "deployability",
    "base_model_usage",
    "python_usage",
    "package_usage",
    "metric_leaderboard",
    "metric_changes",
    "model_leaderboard",
    "storage_by_ml_repo",
    "storage_by_month",
    "cleanup_candidates",
    "authorship",
    "former_authors",
    "growth",
    "version_coverage",
    "version_metadata",
)

# Placeholders in the queries, for the differences between SQLite and PostgreSQL.
DIFFERENCES = {
    "sqlite": {
        # SQLite before 3.44 cannot order within an aggregate.
        "tags_of_v": "(SELECT GROUP_CONCAT(tag, ', ') FROM (SELECT t.tag FROM model_version_tags t "
        "WHERE t.model_version_id = v.id ORDER BY t.position))",
        "seconds_since_last_complete": "(julianday('now') - julianday(f.last_complete_at)) * 86400.0",
        "days_since_last_version": "CAST(julianday('now') - julianday(n.last_version_at) AS INTEGER)",
        "days_since_last_activity": "CAST(julianday('now') - "
        "julianday(COALESCE(n.last_version_at, n.created_at, n.first_seen_at)) AS INTEGER)",
        "days_since_created": "CAST(julianday('now') - julianday(COALESCE(v.created_at, v.first_seen_at)) AS INTEGER)",
        "month_of_event": "SUBSTR(n.happened_at, 1, 7)",
        "day_of_creation": "SUBSTR(n.created_at, 1, 10)",
        "ascii": "",
        "blanks": "CHAR(32, 9, 10, 13)",
        "position": "INSTR",
        "concat": "GROUP_CONCAT",
        "end_of_time": "'9999-12-31 23:59:59.999999'",
        "seconds_in_production": "(julianday(COALESCE(p.until_at, 'now')) - julianday(p.since_at)) * 86400.0",
        "seconds_to_production": "(julianday(p.since_at) - julianday(p.created_at)) * 86400.0",
        "members_of_metadata": "json_each(CASE WHEN json_type(v.metadata) = 'object' THEN v.metadata ELSE '{}' END)",
        "member_as_text": "CASE e.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
        "ELSE CAST(e.value AS TEXT) END",
    },
    "postgresql": {
        "tags_of_v": "(SELECT STRING_AGG(t.tag, ', ' ORDER BY t.position) FROM model_version_tags t "
        "WHERE t.model_version_id = v.id)",
        "seconds_since_last_complete": "EXTRACT(EPOCH FROM now() - f.last_complete_at)::double precision",
        "days_since_last_version": "CAST(TRUNC(EXTRACT(EPOCH FROM now() - n.last_version_at) / 86400) AS BIGINT)",
        "days_since_last_activity": "CAST(TRUNC(EXTRACT(EPOCH FROM "
        "now() - COALESCE(n.last_version_at, n.created_at, n.first_seen_at)) / 86400) AS BIGINT)",
        "days_since_created": "CAST(TRUNC(EXTRACT(EPOCH FROM "
        "now() - COALESCE(v.created_at, v.first_seen_at)) / 86400) AS BIGINT)",
        "month_of_event": "TO_CHAR(n.happened_at AT TIME ZONE 'UTC', 'YYYY-MM')",
        "day_of_creation": "TO_CHAR(n.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        "ascii": ' COLLATE "C"',
        "blanks": r"E' \t\n\r'",
        "position": "STRPOS",
        "concat": "STRING_AGG",
        "end_of_time": "'infinity'::timestamptz",
        "seconds_in_production": "EXTRACT(EPOCH FROM COALESCE(p.until_at, now()) - p.since_at)::double precision",
        "seconds_to_production": "EXTRACT(EPOCH FROM p.since_at - p.created_at)::double precision",
        "members_of_metadata": "LATERAL jsonb_each_text("
        "CASE WHEN jsonb_typeof(v.metadata) = 'object' THEN v.metadata ELSE '{}' END)",
        "member_as_text": "e.value",
    },
}


def upgrade() -> None:
    """Create the views."""
    differences = DIFFERENCES[op.get_bind().dialect.name]
    shared = {path.stem: _read(path, differences) for path in SHARED.glob("*.sql")}
    for name in VIEWS:
        op.execute(f"CREATE VIEW {name} AS\n{_read(QUERIES / f'{name}.sql', differences | shared)}")


def _read(path: Path, parts: dict[str, str]) -> str:
    return path.read_text(encoding="utf-8").rstrip().format(**parts)


def downgrade() -> None:
    """Drop the views."""
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
