EXISTS (
        SELECT 1
        FROM production_words
        WHERE word = l.label
           -- The value of env, environment or stage.
           OR l.label IN ('env:' || word, 'environment:' || word, 'stage:' || word)
           -- The source requires aliases to begin with v: v1-prod is in production, v1-pre-prod is not.
           OR (l.source = 'alias' AND l.label LIKE 'v%-%'
               AND SUBSTR(l.label, {position}(l.label, '-') + 1) = word)
    )
