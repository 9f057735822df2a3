-- Each period in which a version carried a tag, computed from `changes`. alias_history.sql differs only in `moves`,
-- `held_now` and the name of one column.
WITH
-- NOT MATERIALIZED: a filter on the view must reach the tables, though these sets are read more than once.
moves AS NOT MATERIALIZED (
    SELECT
        c.entity_id AS model_version_id,
        COALESCE(c.new_value, c.old_value) AS held,
        c.id,
        c.observed_at,
        CASE c.kind WHEN 'tag_added' THEN 'got' ELSE 'lost' END AS kind
    FROM changes c
    WHERE c.entity = 'model_versions' AND c.kind IN ('tag_added', 'tag_removed')
),
held_now AS NOT MATERIALIZED (
    SELECT model_version_id, tag AS held FROM model_version_tags
),
ever_held AS NOT MATERIALIZED (
    SELECT model_version_id, held FROM moves
    UNION
    SELECT model_version_id, held FROM held_now
),
-- Everything that happened to a version and a label, numbered by `changes.id`. Times do not order events reliably:
-- clocks are sometimes set back.
events AS (
    SELECT model_version_id, held, id, observed_at, kind FROM moves
    UNION ALL
    SELECT model_version_id, held, 9223372036854775807, NULL, 'held now' FROM held_now
    UNION ALL
    -- CROSS JOIN makes SQLite read ever_held, the smaller set, in the outer loop.
    SELECT e.model_version_id, e.held, c.id, c.observed_at, c.kind
    FROM ever_held e
    CROSS JOIN changes c
    WHERE c.entity = 'model_versions' AND c.entity_id = e.model_version_id
      AND c.kind IN ('created', 'deleted', 'restored')
    UNION ALL
    SELECT e.model_version_id, e.held, 0, v.first_seen_at, 'first seen'
    FROM ever_held e
    CROSS JOIN model_versions v
    WHERE v.id = e.model_version_id
),
-- Each event with the next event of each kind. `prune` deletes the oldest changes first, so later events are known
-- whenever this one is; earlier ones may be missing.
with_next AS (
    SELECT
        model_version_id,
        held,
        kind,
        observed_at,
        LAG(observed_at) OVER later AS next_at,
        MIN(CASE WHEN kind = 'got' THEN id END) OVER later AS next_got,
        MIN(CASE WHEN kind IN ('lost', 'held now') THEN id END) OVER later AS next_lost,
        MIN(CASE WHEN kind IN ('created', 'restored') THEN id END) OVER later AS next_restored,
        MIN(CASE WHEN kind = 'deleted' THEN id END) OVER later AS next_deleted
    FROM events
    WINDOW later AS (
        PARTITION BY model_version_id, held ORDER BY id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
-- A version held the label after an event if the next loss comes before the next gain. It existed if the next restore
-- does not come before the next delete. Each event changes one of the two, so a period lasts until the next event.
-- A period of no length is left out: a version was restored and lost the label in the same run.
SELECT
    v.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    v.id AS model_version_id,
    v.version,
    x.held AS tag,
    x.observed_at AS valid_from,
    x.kind <> 'first seen' AS valid_from_is_exact,
    COALESCE(x.next_at, v.deleted_at) AS valid_to
FROM with_next x
JOIN model_versions v ON v.id = x.model_version_id
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(v.ml_repo_id, m.ml_repo_id)
WHERE x.next_lost IS NOT NULL AND (x.next_got IS NULL OR x.next_lost < x.next_got)
  AND x.kind <> 'deleted' AND (x.next_restored IS NULL OR x.next_deleted < x.next_restored)
  AND (x.next_at IS NULL OR x.next_at <> x.observed_at)
