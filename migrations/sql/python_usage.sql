-- Python versions in use, as written and by their first two numbers.
WITH counted AS (
    SELECT v.python_version, COUNT(DISTINCT v.model_id) AS models, COUNT(*) AS versions
    FROM model_versions v
    WHERE v.deleted_at IS NULL AND v.python_version <> ''
    GROUP BY v.python_version
)
SELECT
    python_version,
    -- A digit, a dot, and one or two digits. SQLite has no regular expressions.
    CASE
        WHEN SUBSTR(python_version, 1, 1) IN ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
         AND SUBSTR(python_version, 2, 1) = '.'
         AND SUBSTR(python_version, 3, 1) IN ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
        THEN SUBSTR(
            python_version,
            1,
            CASE
                WHEN SUBSTR(python_version, 4, 1) IN ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9') THEN 4
                ELSE 3
            END
        )
    END AS minor,
    models,
    versions
FROM counted
