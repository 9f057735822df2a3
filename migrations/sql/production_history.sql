-- Each stretch in which a version was in production, whatever the label, and the versions before and after.
WITH
-- Each step has windows of one partition, because SQLite passes no filter into a query with several.
-- The same label may have several periods in a stretch.
labels AS (
    SELECT
        h.*,
        ROW_NUMBER() OVER (PARTITION BY model_id, model_version_id, since_at, label ORDER BY valid_from, source)
            AS place_of_label
    FROM production_label_history h
),
listed AS (
    SELECT
        l.*,
        {concat}(label, ', ') OVER stretch AS labels,
        ROW_NUMBER() OVER (PARTITION BY model_id, model_version_id, since_at ORDER BY valid_from, label{ascii}) AS place
    FROM labels l
    WHERE place_of_label = 1
    WINDOW stretch AS (
        PARTITION BY model_id, model_version_id, since_at
        ORDER BY valid_from, label{ascii}
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
),
stretches AS (
    SELECT
        l.*,
        ROW_NUMBER() OVER (PARTITION BY model_id, model_version_id ORDER BY since_at) AS stretch_of_version
    FROM listed l
    WHERE place = 1
),
placed AS (
    SELECT
        l.model_id,
        l.model_version_id,
        v.version,
        l.labels,
        l.since_at,
        l.since_is_exact,
        l.since_not_before,
        l.until_at,
        v.created_at,
        v.ml_repo_id,
        l.stretch_of_version,
        -- Versions that entered at the same moment have the same neighbours.
        MAX(v.version) OVER (
            PARTITION BY l.model_id ORDER BY l.since_at GROUPS BETWEEN 1 PRECEDING AND 1 PRECEDING
        ) AS previous_version,
        MAX(v.version) OVER (
            PARTITION BY l.model_id ORDER BY l.since_at GROUPS BETWEEN 1 FOLLOWING AND 1 FOLLOWING
        ) AS next_version,
        DENSE_RANK() OVER (PARTITION BY l.model_id ORDER BY l.since_at) AS entry
    FROM stretches l
    JOIN model_versions v ON v.id = l.model_version_id
)
SELECT
    p.model_id,
    m.name AS model_name,
    r.name AS ml_repo_name,
    p.model_version_id,
    p.version,
    p.labels,
    p.since_at AS valid_from,
    p.since_is_exact AS valid_from_is_exact,
    p.since_not_before AS not_before,
    p.until_at AS valid_to,
    {seconds_in_production} AS duration_seconds,
    CASE WHEN p.since_is_exact AND p.stretch_of_version = 1 THEN {seconds_to_production} END AS lead_time_seconds,
    p.previous_version,
    p.next_version,
    CASE
        WHEN p.entry = 1 THEN 'first'
        WHEN p.version > p.previous_version THEN 'promotion'
        WHEN p.version < p.previous_version THEN 'rollback'
        WHEN p.version = p.previous_version THEN 'return'
    END AS change
FROM placed p
LEFT JOIN models m ON m.id = p.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(p.ml_repo_id, m.ml_repo_id)
