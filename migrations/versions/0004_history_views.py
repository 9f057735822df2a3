"""Views that answer "since when", and the indexes of `changes` that they rest on.

Revision 0004, after 0003.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Changes are put in order by their number and not by time: clocks are set back now and then.

# The stretches in which the source had a version. `from_id` and `to_id` are the numbers of the changes at their ends;
# 0 is before all of them. A version that a first load brought has no `created`; one of which only a return is kept
# was there before, but nobody knows until when.
LIVES = """
    SELECT model_version_id, kind <> 'first seen' AS from_is_exact, id AS from_id, observed_at AS from_at, to_id, to_at
    FROM (
        SELECT model_version_id, id, observed_at, kind,
               LEAD(id) OVER story AS to_id, LEAD(observed_at) OVER story AS to_at, LEAD(kind) OVER story AS next_kind
        FROM (
            SELECT v.id AS model_version_id, 0 AS id, v.first_seen_at AS observed_at, 'first seen' AS kind
            FROM model_versions v
            UNION ALL
            SELECT c.entity_id, c.id, c.observed_at, c.kind
            FROM changes c
            WHERE c.entity = 'model_versions' AND c.kind IN ('created', 'deleted', 'restored')
        ) moments
        WINDOW story AS (PARTITION BY model_version_id ORDER BY id)
    ) stretches
    WHERE kind <> 'deleted' AND NOT (kind = 'first seen' AND COALESCE(next_kind, '') IN ('created', 'restored'))
"""

# The stretches in which the rows of a version held a tag. Each is closed by a removal, or by its being there now; the
# change before that is the one that brought it, unless it was there from the beginning.
TAGS_HELD = """
    SELECT model_version_id, tag AS held, from_id, from_at, to_id, to_at
    FROM (
        SELECT model_version_id, tag, kind, id AS to_id, observed_at AS to_at,
               COALESCE(LAG(id) OVER story, 0) AS from_id, LAG(observed_at) OVER story AS from_at
        FROM (
            SELECT c.entity_id AS model_version_id, COALESCE(c.new_value, c.old_value) AS tag, c.kind, c.id,
                   c.observed_at
            FROM changes c
            WHERE c.entity = 'model_versions' AND c.kind IN ('tag_added', 'tag_removed')
            UNION ALL
            SELECT t.model_version_id, t.tag, 'there now', NULL, NULL FROM model_version_tags t
        ) moments
        WINDOW story AS (PARTITION BY model_version_id, tag ORDER BY id NULLS LAST)
    ) stretches
    WHERE kind <> 'tag_added'
"""

# The same of the alias, of which a version has one at most: what puts another in its place closes it.
ALIASES_HELD = """
    SELECT model_version_id, version_alias AS held, from_id, from_at, to_id, to_at
    FROM (
        SELECT model_version_id, version_alias, id AS to_id, observed_at AS to_at,
               COALESCE(LAG(id) OVER story, 0) AS from_id, LAG(observed_at) OVER story AS from_at
        FROM (
            SELECT c.entity_id AS model_version_id, c.old_value AS version_alias, c.id, c.observed_at
            FROM changes c
            WHERE c.entity = 'model_versions' AND c.kind = 'updated' AND c.field = 'version_alias'
            UNION ALL
            SELECT v.id, v.version_alias, NULL, NULL FROM model_versions v
        ) moments
        WINDOW story AS (PARTITION BY model_version_id ORDER BY id NULLS LAST)
    ) stretches
    WHERE version_alias IS NOT NULL
"""

# Where both meet. What a run restored and took the tag of had it at no time; a delete may have been pruned.
HISTORY = """
SELECT v.model_id, m.name AS model_name, r.name AS ml_repo_name, v.id AS model_version_id, v.version,
       h.held AS {name},
       CASE WHEN h.from_id > l.from_id THEN h.from_at ELSE l.from_at END AS from_at,
       (h.from_id > l.from_id OR l.from_is_exact) AS from_is_exact,
       CASE WHEN h.to_id IS NULL OR h.to_id > l.to_id THEN COALESCE(l.to_at, v.deleted_at) ELSE h.to_at END AS to_at
FROM ({held}) h
JOIN ({lives}) l ON l.model_version_id = h.model_version_id
JOIN model_versions v ON v.id = h.model_version_id
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
WHERE (l.to_id IS NULL OR h.from_id < l.to_id)
  AND (h.to_id IS NULL OR (l.from_id < h.to_id AND l.from_at <> h.to_at))
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

VIEWS = {
    "tag_history": (
        HISTORY.format(name="tag", held=TAGS_HELD, lives=LIVES),
        "Each stretch of time in which a version carried a tag.",
    ),
    "alias_history": (
        HISTORY.format(name="version_alias", held=ALIASES_HELD, lives=LIVES),
        "Each stretch of time in which a version had an alias.",
    ),
    "model_timeline": (MODEL_TIMELINE, "All changes of a model and of its versions, in one list."),
}


def upgrade() -> None:
    """Create the indexes and the views."""
    op.create_index(op.f("ix_changes_kind_field"), "changes", ["kind", "field"])
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
    op.drop_index(op.f("ix_changes_kind_field"), "changes")
