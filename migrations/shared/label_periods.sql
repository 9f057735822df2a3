-- All gains, losses and labels of now. The first of each label also brings what happened to its version.
held AS (
    SELECT
        h.*,
        ROW_NUMBER() OVER (PARTITION BY model_id, model_version_id, source, held ORDER BY id) AS place
    FROM (
        SELECT model_id, model_version_id, source, held, id, observed_at, kind FROM moves
        UNION ALL
        SELECT model_id, model_version_id, source, held, 9223372036854775807, NULL, 'held now' FROM held_now
    ) h
),
-- Everything that happened to a version and a label, numbered by `changes.id`. Times do not order events reliably:
-- clocks are sometimes set back. One pass, because SQLite would read a set again for each use.
-- A label whose gain is not recorded was there when its version was first seen, or was added by a change that was pruned:
-- not after the newest of those, nor after the last change of the version.
events AS (
    SELECT
        h.model_id,
        h.model_version_id,
        h.source,
        h.held,
        CASE k.part WHEN 1 THEN h.id WHEN 2 THEN 0 ELSE c.id END AS id,
        CASE
            WHEN k.part = 1 THEN h.observed_at
            WHEN k.part = 3 THEN c.observed_at
            WHEN v.last_changed_at <= (SELECT MAX(newest_change_at) FROM pruned_history) THEN v.last_changed_at
            WHEN v.first_seen_at < (SELECT MAX(newest_change_at) FROM pruned_history)
            THEN (SELECT MAX(newest_change_at) FROM pruned_history)
            ELSE v.first_seen_at
        END AS observed_at,
        CASE k.part WHEN 1 THEN h.kind WHEN 2 THEN 'first seen' ELSE c.kind END AS kind
    FROM held h
    CROSS JOIN (SELECT 1 AS part UNION ALL SELECT 2 UNION ALL SELECT 3) k
    LEFT JOIN model_versions v ON k.part = 2 AND v.id = h.model_version_id
    LEFT JOIN changes c
        ON k.part = 3 AND c.entity = 'model_versions' AND c.entity_id = h.model_version_id
        AND c.kind IN ('created', 'deleted', 'restored')
    WHERE k.part = 1 OR (h.place = 1 AND (k.part = 2 OR c.id IS NOT NULL))
),
-- Each event with the next event of each kind. `prune` deletes the oldest changes first, so later events are known
-- whenever this one is; earlier ones may be missing. The model is in the partition, so that a filter on it passes.
with_next AS (
    SELECT
        model_id,
        model_version_id,
        source,
        held,
        id,
        kind,
        observed_at,
        LAG(observed_at) OVER later AS next_at,
        MIN(CASE WHEN kind = 'got' THEN id END) OVER later AS next_got,
        MIN(CASE WHEN kind IN ('lost', 'held now') THEN id END) OVER later AS next_lost,
        MIN(CASE WHEN kind IN ('created', 'restored') THEN id END) OVER later AS next_restored,
        MIN(CASE WHEN kind = 'deleted' THEN id END) OVER later AS next_deleted
    FROM events
    WINDOW later AS (
        PARTITION BY model_id, model_version_id, source, held
        ORDER BY id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
-- A version held the label after an event if the next loss comes before the next gain. It existed if the next restore
-- does not come before the next delete. Each event changes one of the two, so a period lasts until the next event.
-- A period of no length is left out: a version was restored and lost the label in the same run, or the whole period was
-- pruned except for `deleted_at`.
periods AS (
    SELECT
        x.model_id,
        x.model_version_id,
        x.source,
        x.held,
        x.observed_at AS valid_from,
        x.kind <> 'first seen' AS valid_from_is_exact,
        -- The latest time at which the version surely did not have the label: its creation, its first sight, an earlier
        -- change of it, or a run that compared every version. A version may be older than such a run, though the run did
        -- not see it. The run that restored a version may not have read it.
        (
            SELECT MAX(b.at)
            FROM (
                SELECT v.created_at AS at
                UNION ALL
                SELECT v.first_seen_at
                WHERE x.kind = 'got'
                UNION ALL
                SELECT MAX(c.observed_at)
                FROM changes c
                WHERE x.kind IN ('got', 'restored')
                  AND c.entity = 'model_versions' AND c.entity_id = x.model_version_id
                  AND c.kind <> 'restored' AND c.id < x.id AND c.observed_at < x.observed_at
                UNION ALL
                SELECT MAX(r.started_at)
                FROM sync_runs r
                WHERE x.kind IN ('got', 'restored')
                  AND r.mode = 'full' AND r.status = 'succeeded' AND r.scope = '{{}}'
                  AND r.started_at < x.observed_at
                  AND (v.created_at IS NULL OR v.created_at > x.observed_at OR r.started_at > v.created_at)
            ) b
            -- The first sight of a version and the creation that the source states may be later than the change.
            WHERE b.at < x.observed_at
        ) AS not_before,
        COALESCE(x.next_at, v.deleted_at) AS valid_to
    FROM with_next x
    JOIN model_versions v ON v.id = x.model_version_id
    WHERE x.next_lost IS NOT NULL AND (x.next_got IS NULL OR x.next_lost < x.next_got)
      AND x.kind <> 'deleted' AND (x.next_restored IS NULL OR x.next_deleted < x.next_restored)
      AND (COALESCE(x.next_at, v.deleted_at) IS NULL OR COALESCE(x.next_at, v.deleted_at) <> x.observed_at)
)
