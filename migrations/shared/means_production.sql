EXISTS (
        SELECT 1
        FROM production_words
        WHERE word IN (
            l.label,
            -- The value of env, environment or stage.
            CASE
                WHEN l.label LIKE 'env:%' THEN SUBSTR(l.label, 5)
                WHEN l.label LIKE 'environment:%' THEN SUBSTR(l.label, 13)
                WHEN l.label LIKE 'stage:%' THEN SUBSTR(l.label, 7)
            END,
            -- The source requires aliases to begin with v: v1-prod is in production, v1-pre-prod is not.
            CASE
                WHEN l.source = 'alias' AND l.label LIKE 'v%-%' THEN SUBSTR(l.label, {position}(l.label, '-') + 1)
            END
        )
    )
