-- How many versions each month added and removed, and how many there were at its end, with their sizes.
-- Deleted versions count until their deletion. Those that were deleted before the first run are unknown.
WITH
moved AS (
    SELECT
        COALESCE(v.ml_repo_id, m.ml_repo_id) AS ml_repo_id,
        -- A wrong time of the source must not let a version begin after its end.
        CASE WHEN v.created_at < v.first_seen_at THEN v.created_at ELSE v.first_seen_at END AS happened_at,
        1 AS added,
        0 AS removed,
        -- A size below 0 or above a petabyte is none: a sum of such numbers would overflow 64 bits.
        CASE WHEN v.artifact_size_bytes BETWEEN 0 AND 1000000000000000 THEN v.artifact_size_bytes END AS size
    FROM model_versions v
    LEFT JOIN models m ON m.id = v.model_id
    UNION ALL
    SELECT
        COALESCE(v.ml_repo_id, m.ml_repo_id),
        v.deleted_at,
        0,
        1,
        CASE WHEN v.artifact_size_bytes BETWEEN 0 AND 1000000000000000 THEN v.artifact_size_bytes END
    FROM model_versions v
    LEFT JOIN models m ON m.id = v.model_id
    WHERE v.deleted_at IS NOT NULL
),
by_month AS (
    SELECT
        {month_of_event} AS month,
        n.ml_repo_id,
        SUM(n.added) AS versions_added,
        SUM(n.removed) AS versions_removed,
        SUM(CASE WHEN n.added = 1 THEN n.size END) AS bytes_added,
        SUM(CASE WHEN n.removed = 1 THEN n.size END) AS bytes_removed,
        SUM((n.added - n.removed) * CASE WHEN n.size IS NULL THEN 1 ELSE 0 END) AS without_size
    FROM moved n
    GROUP BY {month_of_event}, n.ml_repo_id
),
at_end AS (
    SELECT
        b.*,
        SUM(versions_added - versions_removed) OVER so_far AS versions,
        SUM(without_size) OVER so_far AS versions_without_size,
        SUM(COALESCE(bytes_added, 0) - COALESCE(bytes_removed, 0)) OVER so_far AS bytes
    FROM by_month b
    WINDOW so_far AS (PARTITION BY ml_repo_id ORDER BY month)
)
SELECT
    e.month,
    e.ml_repo_id,
    r.name AS ml_repo_name,
    CAST(e.versions_added AS BIGINT) AS versions_added,
    CAST(e.versions_removed AS BIGINT) AS versions_removed,
    CAST(e.versions AS BIGINT) AS versions,
    CAST(e.versions_without_size AS BIGINT) AS versions_without_size,
    -- Without versions the size is 0; NULL if there are versions, and none has a size.
    CASE WHEN e.versions_added = 0 THEN 0 ELSE CAST(e.bytes_added AS BIGINT) END AS bytes_added,
    CASE WHEN e.versions_removed = 0 THEN 0 ELSE CAST(e.bytes_removed AS BIGINT) END AS bytes_removed,
    CASE WHEN e.versions = 0 OR e.versions > e.versions_without_size THEN CAST(e.bytes AS BIGINT) END
        AS artifact_size_bytes
FROM at_end e
LEFT JOIN ml_repos r ON r.id = e.ml_repo_id
