-- The parameter "at". It takes any ISO 8601 form of a calendar or week date, with or without a time and an offset. Without an offset it is UTC,
-- whatever the time zone of the session; empty means now.
spelled AS (
    SELECT REPLACE(TRIM(CAST(:at AS TEXT)), ',', '.') AS text
),
moment AS (
    SELECT
        CASE
            WHEN text = '' THEN now()
            -- PostgreSQL also takes words such as yesterday.
            WHEN text !~ '^[0-9]{{4}}(-[0-9]{{2}}-[0-9]{{2}}|[0-9]{{4}})([ tTzZ].*)?$'
            THEN CAST('no moment in ISO 8601: ' || text AS TIMESTAMPTZ)
            WHEN text ~ '([0-9] *[zZ]|[ tT][0-9].*[-+][0-9][0-9](:?[0-9][0-9])?)$' THEN CAST(text AS TIMESTAMPTZ)
            ELSE CAST(text AS TIMESTAMP) AT TIME ZONE 'UTC'
        END AS at
    FROM spelled
)
