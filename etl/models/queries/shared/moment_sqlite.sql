-- The parameter "at" as UTC with microseconds. It takes any ISO 8601 form of a calendar or week date, with or without a
-- time and an offset. Without an offset it is UTC; empty means now. SQLite's own functions take fewer forms, and round to
-- milliseconds.
spelled AS (
    SELECT REPLACE(UPPER(TRIM(:at)), ',', '.') AS text
),
weekly AS (  -- year, week and day of a week date such as 2026-W18-5 as 2026185, and the length of its text
    SELECT
        text,
        CASE
            WHEN text GLOB '[0-9][0-9][0-9][0-9]-W[0-9][0-9]-[1-7]*' THEN 10
            WHEN text GLOB '[0-9][0-9][0-9][0-9]W[0-9][0-9][1-7]*' THEN 8
            WHEN text || ' ' GLOB '[0-9][0-9][0-9][0-9]-W[0-9][0-9][T ]*' THEN 8
            WHEN text || ' ' GLOB '[0-9][0-9][0-9][0-9]W[0-9][0-9][T ]*' THEN 7
        END AS length
    FROM spelled
),
week_numbers AS (
    SELECT text, length, SUBSTR(REPLACE(REPLACE(SUBSTR(text, 1, length), '-', ''), 'W', '') || '1', 1, 7) AS week
    FROM weekly
),
week_days AS (  -- the Monday of the first week is the one before January 5; the Thursday of a week decides on its year
    SELECT
        text,
        length,
        SUBSTR(week, 1, 4) AS year,
        date(SUBSTR(week, 1, 4) || '-01-04', '-6 days', 'weekday 1', (SUBSTR(week, 5, 2) * 7 - 7) || ' days') AS monday,
        SUBSTR(week, 7, 1) - 1 AS days
    FROM week_numbers
),
dated AS (  -- 20260501 is 2026-05-01
    SELECT
        CASE
            WHEN length IS NOT NULL
            THEN CASE WHEN SUBSTR(date(monday, '+3 days'), 1, 4) = year THEN date(monday, days || ' days') END
            WHEN text GLOB '[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*'
            THEN SUBSTR(text, 1, 4) || '-' || SUBSTR(text, 5, 2) || '-' || SUBSTR(text, 7, 2)
            ELSE SUBSTR(text, 1, 10)
        END AS day,
        SUBSTR(text, 1 + COALESCE(
            length, CASE WHEN text GLOB '[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*' THEN 8 ELSE 10 END
        )) AS rest
    FROM week_days
),
zoned AS (  -- the time without its separator and colons, and the offset likewise
    SELECT
        day,
        REPLACE(TRIM(CASE sign WHEN 0 THEN RTRIM(rest, 'Z') ELSE SUBSTR(rest, 1, sign - 1) END, 'T '), ':', '') AS clock,
        CASE sign WHEN 0 THEN '+0000' ELSE SUBSTR(REPLACE(SUBSTR(rest, sign), ':', '') || '00', 1, 5) END AS zone
    FROM (SELECT day, rest, MAX(INSTR(rest, '+'), INSTR(rest, '-')) AS sign FROM dated) signed
),
parted AS (
    SELECT
        day,
        CASE INSTR(clock, '.') WHEN 0 THEN clock ELSE SUBSTR(clock, 1, INSTR(clock, '.') - 1) END AS clock,
        CASE INSTR(clock, '.') WHEN 0 THEN '' ELSE SUBSTR(clock, INSTR(clock, '.') + 1) END AS fraction,
        SUBSTR(zone, 1, 3) || ':' || SUBSTR(zone, 4, 2) AS zone
    FROM zoned
),
moment AS (
    SELECT
        COALESCE(
            CASE WHEN day = '' THEN strftime('%Y-%m-%d %H:%M:%f000', 'now') END,
            CASE
                WHEN LENGTH(clock) IN (0, 2, 4, 6) AND fraction NOT GLOB '*[^0-9]*' AND date(day, '+0 days') = day
                THEN strftime(
                    '%Y-%m-%d %H:%M:%S',
                    day || ' ' || SUBSTR(clock || '000000', 1, 2) || ':' || SUBSTR(clock || '000000', 3, 2) || ':'
                    || SUBSTR(clock || '000000', 5, 2) || zone,
                    '+0 days'  -- so that 24:00 is the next day, and February 30 is no day
                )
            END || '.' || SUBSTR(fraction || '000000', 1, 6),
            -- SQLite has no other way to fail within a query.
            json_extract('{{}}', 'The parameter "at" is no moment in ISO 8601.')
        ) AS at
    FROM parted
)
