-- The parameter "at". It takes any ISO 8601 form of a calendar or week date, with or without a time and an offset.
-- Without an offset it is UTC, whatever the time zone of the session; empty means now.
spelled AS (
    SELECT REPLACE(TRIM(CAST(:at AS TEXT)), ',', '.') AS text
),
weekly AS (  -- year, week, day and time of a week date such as 2026-W18-5
    SELECT
        text,
        COALESCE(
            regexp_match(text, '^([0-9]{{4}})-[wW]([0-9]{{2}})(-([1-7]))?([ tT].*)?$'),
            regexp_match(text, '^([0-9]{{4}})[wW]([0-9]{{2}})(([1-7]))?([ tT].*)?$')
        ) AS part
    FROM spelled
),
dated AS (  -- a week that the year does not have stays as it is, and fails below
    SELECT
        CASE
            WHEN TO_CHAR(day, 'IYYYIW') = part[1] || part[2] THEN TO_CHAR(day, 'YYYY-MM-DD') || COALESCE(part[5], '')
            ELSE text
        END AS text
    FROM (
        SELECT text, part, TO_DATE(part[1] || part[2] || COALESCE(part[4], '1'), 'IYYYIWID') AS day FROM weekly
    ) w
),
timed AS (  -- PostgreSQL takes no hour without minutes
    SELECT REGEXP_REPLACE(text, '([ tT][0-9]{{2}})([zZ]|[-+].*)?$', '\1:00\2') AS text FROM dated
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
    FROM timed
)
