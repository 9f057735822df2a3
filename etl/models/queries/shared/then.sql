-- As a field was before its first change after the moment, so it was at the moment. ␛ stands for NULL before that change:
-- no stored text is ␛ alone. Each record is looked up on its own, by an index.
versions_then AS (
    SELECT
        v.id AS model_version_id,
        v.model_id,
        {name_of_model} AS model_name,
        CAST({number_of_version} AS BIGINT) AS version,
        {alias_of_version} AS version_alias,
        COALESCE({ml_repo_of_version}, {ml_repo_of_model}) AS ml_repo_id
    FROM model_versions v
    LEFT JOIN models m ON m.id = v.model_id
    WHERE v.first_seen_at <= (SELECT at FROM moment)
      AND CASE {life_of_version}
              WHEN 'deleted' THEN TRUE
              WHEN '' THEN v.deleted_at IS NULL OR v.deleted_at > (SELECT at FROM moment)
              ELSE FALSE
          END
)
