"""Views that answer "since when", and the indexes of `changes` that they rest on.

Revision 0004, after 0003.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# When a version came to hold a tag and when it lost it; and what it holds now.
TAGS_MOVED = """
    SELECT c.entity_id AS model_version_id, COALESCE(c.new_value, c.old_value) AS held, c.id, c.observed_at,
           CASE c.kind WHEN 'tag_added' THEN 'got' ELSE 'lost' END AS kind
    FROM changes c
    WHERE c.entity = 'model_versions' AND c.kind IN ('tag_added', 'tag_removed')
"""
TAGS_NOW = "SELECT model_version_id, tag AS held FROM model_version_tags"

# The same of aliases, of which one takes the place of another.
ALIASES_MOVED = """
    SELECT c.entity_id AS model_version_id, c.new_value AS held, c.id, c.observed_at, 'got' AS kind
    FROM changes c
    WHERE c.entity = 'model_versions' AND c.kind = 'updated' AND c.field = 'version_alias' AND c.new_value IS NOT NULL
    UNION ALL
    SELECT c.entity_id, c.old_value, c.id, c.observed_at, 'lost'
    FROM changes c
    WHERE c.entity = 'model_versions' AND c.kind = 'updated' AND c.field = 'version_alias' AND c.old_value IS NOT NULL
"""
ALIASES_NOW = "SELECT id AS model_version_id, version_alias AS held FROM model_versions WHERE version_alias IS NOT NULL"

EVER_HELD = "SELECT model_version_id, held FROM ({moved}) moved UNION {now}"

# All that happened to a version and a tag, put in order by the number of the change and not by time: clocks are set
# back now and then. Each moment is looked at with what comes after it, as that is never pruned before it is. What is
# lost next was held from there on; and the source had the version from there on, unless it comes back next. Each
# moment turns one of the two, so a stretch lasts until the next. In one run a version may come back and lose a tag: it
# was held at no time then. CROSS JOIN has SQLite begin with the few that were ever held.
HISTORY = """
SELECT v.model_id, m.name AS model_name, r.name AS ml_repo_name, v.id AS model_version_id, v.version,
       x.held AS {name}, x.observed_at AS from_at, x.kind <> 'first seen' AS from_is_exact,
       COALESCE(x.to_at, v.deleted_at) AS to_at
FROM (
    SELECT model_version_id, held, kind, observed_at, LAG(observed_at) OVER later AS to_at,
           MIN(CASE WHEN kind = 'got' THEN id END) OVER later AS got,
           MIN(CASE WHEN kind IN ('lost', 'there now') THEN id END) OVER later AS lost,
           MIN(CASE WHEN kind IN ('created', 'restored') THEN id END) OVER later AS back,
           MIN(CASE WHEN kind = 'deleted' THEN id END) OVER later AS gone
    FROM (
        SELECT model_version_id, held, id, observed_at, kind FROM ({moved}) moved
        UNION ALL
        SELECT model_version_id, held, 9223372036854775807, NULL, 'there now' FROM ({now}) there
        UNION ALL
        SELECT e.model_version_id, e.held, c.id, c.observed_at, c.kind
        FROM ({ever_held}) e
        CROSS JOIN changes c
        WHERE c.entity = 'model_versions' AND c.entity_id = e.model_version_id
          AND c.kind IN ('created', 'deleted', 'restored')
        UNION ALL
        SELECT e.model_version_id, e.held, 0, v.first_seen_at, 'first seen'
        FROM ({ever_held}) e
        CROSS JOIN model_versions v
        WHERE v.id = e.model_version_id
    ) moments
    WINDOW later AS (
        PARTITION BY model_version_id, held ORDER BY id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
) x
JOIN model_versions v ON v.id = x.model_version_id
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
WHERE x.lost IS NOT NULL AND (x.got IS NULL OR x.lost < x.got)
  AND x.kind <> 'deleted' AND (x.back IS NULL OR x.gone < x.back)
  AND (x.to_at IS NULL OR x.to_at <> x.observed_at)
"""

MODEL_TIMELINE = """
SELECT m.id AS model_id, m.name AS model_name, c.observed_at, c.run_id, c.entity, c.entity_id,
       CAST(NULL AS BIGINT) AS version, c.kind, c.field, c.old_value, c.new_value
FROM changes c
JOIN models m ON m.id = c.entity_id
WHERE c.entity = 'models'
UNION ALL
SELECT v.model_id, m.name, c.observed_at, c.run_id, c.entity, c.entity_id,
       v.version, c.kind, c.field, c.old_value, c.new_value
FROM changes c
JOIN model_versions v ON v.id = c.entity_id
LEFT JOIN models m ON m.id = v.model_id
WHERE c.entity = 'model_versions'
"""


def _history(name: str, moved: str, now: str) -> str:
    return HISTORY.format(name=name, moved=moved, now=now, ever_held=EVER_HELD.format(moved=moved, now=now))


VIEWS = {
    "tag_history": (
        _history("tag", TAGS_MOVED, TAGS_NOW),
        "Each stretch of time in which a version carried a tag.",
    ),
    "alias_history": (
        _history("version_alias", ALIASES_MOVED, ALIASES_NOW),
        "Each stretch of time in which a version had an alias.",
    ),
    "model_timeline": (MODEL_TIMELINE, "All changes of a model and of its versions, in one list."),
}


def upgrade() -> None:
    """Create the indexes and the views."""
    # With the kind in it, SQLite never looks for the few changes of a version among all of a kind.
    op.drop_index(op.f("ix_changes_entity_entity_id"), "changes")
    op.create_index(op.f("ix_changes_entity_entity_id_kind"), "changes", ["entity", "entity_id", "kind"])
    op.create_index(op.f("ix_changes_entity_kind_field"), "changes", ["entity", "kind", "field"])
    op.create_index(op.f("ix_changes_observed_at"), "changes", ["observed_at"])
    for name, (query, comment) in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"COMMENT ON VIEW {name} IS '{comment}'")


def downgrade() -> None:
    """Drop them."""
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
    op.drop_index(op.f("ix_changes_observed_at"), "changes")
    op.drop_index(op.f("ix_changes_entity_kind_field"), "changes")
    op.drop_index(op.f("ix_changes_entity_entity_id_kind"), "changes")
    op.create_index(op.f("ix_changes_entity_entity_id"), "changes", ["entity", "entity_id"])
