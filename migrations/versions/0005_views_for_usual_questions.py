"""Views for the usual questions.

Revision 0005, after 0004.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# In `{}`: what SQLite and PostgreSQL say differently, and what several views say alike.
DIFFERENCES = {
    "sqlite": {
        "days_since": "CAST(julianday('now') - julianday({}) AS INTEGER)",
        "day": "SUBSTR(n.created_at, 1, 10)",
        "plain": "",
    },
    "postgresql": {
        "days_since": "CAST(TRUNC(EXTRACT(EPOCH FROM now() - {}) / 86400) AS BIGINT)",
        "day": "TO_CHAR(n.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        "plain": ' COLLATE "C"',  # letters of ASCII alone, whatever language the database speaks
    },
}

OWNER = "COALESCE(s.display_name, s.slug, {id})"

# Numbers that are no sizes would make the sum pass 64 bits, and the whole view fail.
SIZE = "CASE WHEN v.artifact_size_bytes BETWEEN 0 AND 1000000000000000 THEN v.artifact_size_bytes END"

# A version that does not say its repo is in that of its model.
REPO_OF_VERSION = "COALESCE(v.ml_repo_id, m.ml_repo_id)"

PRODUCTION = ("prod", "production", "live", "champion")
SPOKEN_FOR = ("env", "environment", "stage")
MEANS_PRODUCTION = ", ".join(
    f"'{word}'" for word in (*PRODUCTION, *(f"{key}:{word}" for key in SPOKEN_FOR for word in PRODUCTION))
)
# The source wants an alias to begin with v, so it says v1-prod; v1-pre-prod is another matter.
ALIAS_MEANS_PRODUCTION = " OR ".join(
    f"(LOWER(h.version_alias{{plain}}) LIKE 'v%-{word}' AND LOWER(h.version_alias{{plain}}) NOT LIKE '%-%-{word}')"
    for word in PRODUCTION
)

DIGITS = "('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')"

INVENTORY = """
SELECT n.ml_repo_id, r.name AS ml_repo_name, {owner} AS owner, n.framework_type,
       COUNT(DISTINCT n.model_id) AS models, COUNT(n.version_id) AS versions,
       CAST(COALESCE(SUM(n.size), 0) AS BIGINT) AS artifact_size_bytes
FROM (
    SELECT {repo_of_version} AS ml_repo_id, COALESCE(m.created_by_id, v.created_by_id) AS owner_id, v.framework_type,
           CASE WHEN m.deleted_at IS NULL THEN m.id END AS model_id, v.id AS version_id, {size} AS size
    FROM model_versions v
    LEFT JOIN models m ON m.id = v.model_id
    WHERE v.deleted_at IS NULL
    UNION ALL
    SELECT m.ml_repo_id, m.created_by_id, NULL, m.id, NULL, NULL
    FROM models m
    WHERE m.deleted_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM model_versions v WHERE v.model_id = m.id AND v.deleted_at IS NULL)
) n
LEFT JOIN ml_repos r ON r.id = n.ml_repo_id
LEFT JOIN subjects s ON s.id = n.owner_id
GROUP BY n.ml_repo_id, r.name, {owner}, n.framework_type
"""

PRODUCTION_VERSIONS = """
SELECT h.mark AS tag, v.id AS model_version_id, v.model_id, m.name AS model_name, r.name AS ml_repo_name, v.version,
       v.version_alias, v.framework_type, v.base_model, v.python_version, v.deployable, {owner} AS owner,
       v.created_at, v.updated_at, h.from_at AS since_at, h.from_is_exact AS since_is_exact
FROM (
    SELECT h.tag AS mark, h.model_version_id, h.from_at, h.from_is_exact
    FROM tag_history h
    WHERE h.to_at IS NULL AND REPLACE(LOWER(h.tag{plain}), '=', ':') IN ({means_production})
    UNION ALL
    SELECT h.version_alias, h.model_version_id, h.from_at, h.from_is_exact
    FROM alias_history h
    WHERE h.to_at IS NULL
      AND (REPLACE(LOWER(h.version_alias{plain}), '=', ':') IN ({means_production}) OR {alias_means_production})
      AND h.version_alias NOT IN (
          SELECT t.tag FROM model_version_tags t WHERE t.model_version_id = h.model_version_id
      )
) h
JOIN model_versions v ON v.id = h.model_version_id AND v.deleted_at IS NULL
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = {repo_of_version}
LEFT JOIN subjects s ON s.id = v.created_by_id
"""

UNDOCUMENTED_MODELS = """
SELECT model_id, model_name, ml_repo_name, owner, has_description, has_owner, has_tags, is_empty, created_at
FROM (
    SELECT m.id AS model_id, m.name AS model_name, r.name AS ml_repo_name, {owner} AS owner,
           COALESCE(TRIM(v.description, '{blanks}') <> '', FALSE) AS has_description,
           m.created_by_id IS NOT NULL AS has_owner,
           EXISTS (
               SELECT 1 FROM model_versions a
               JOIN model_version_tags t ON t.model_version_id = a.id
               WHERE a.model_id = m.id AND a.deleted_at IS NULL
           ) AS has_tags,
           NOT EXISTS (SELECT 1 FROM model_versions a WHERE a.model_id = m.id AND a.deleted_at IS NULL) AS is_empty,
           m.created_at
    FROM models m
    LEFT JOIN model_versions v ON v.id = m.latest_version_id AND v.deleted_at IS NULL
    LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
    LEFT JOIN subjects s ON s.id = m.created_by_id
    WHERE m.deleted_at IS NULL
) looked_at
WHERE NOT (has_description AND has_owner AND has_tags)
"""

STALE_MODELS = """
SELECT m.id AS model_id, m.name AS model_name, r.name AS ml_repo_name, {owner} AS owner,
       COALESCE(n.version_count, 0) AS version_count, n.last_version_at,
       {days_since} AS days_since_last_version
FROM models m
LEFT JOIN (
    SELECT v.model_id, COUNT(*) AS version_count, MAX(COALESCE(v.created_at, v.first_seen_at)) AS last_version_at
    FROM model_versions v
    WHERE v.deleted_at IS NULL
    GROUP BY v.model_id
) n ON n.model_id = m.id
LEFT JOIN ml_repos r ON r.id = m.ml_repo_id
LEFT JOIN subjects s ON s.id = m.created_by_id
WHERE m.deleted_at IS NULL
"""

DEPLOYABILITY = """
SELECT {repo_of_version} AS ml_repo_id, r.name AS ml_repo_name, v.deployable,
       COUNT(CASE WHEN m.latest_version_id = v.id AND m.deleted_at IS NULL THEN 1 END) AS models, COUNT(*) AS versions
FROM model_versions v
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = {repo_of_version}
WHERE v.deleted_at IS NULL
GROUP BY {repo_of_version}, r.name, v.deployable
"""

BASE_MODEL_USAGE = """
SELECT v.base_model, COUNT(DISTINCT v.model_id) AS models, COUNT(*) AS versions
FROM model_versions v
WHERE v.deleted_at IS NULL AND v.base_model <> ''
GROUP BY v.base_model
"""

PYTHON_USAGE = """
SELECT python_version,
       CASE WHEN SUBSTR(python_version, 1, 1) IN {digits} AND SUBSTR(python_version, 2, 1) = '.'
             AND SUBSTR(python_version, 3, 1) IN {digits}
            THEN SUBSTR(python_version, 1, CASE WHEN SUBSTR(python_version, 4, 1) IN {digits} THEN 4 ELSE 3 END)
       END AS minor,
       models, versions
FROM (
    SELECT v.python_version, COUNT(DISTINCT v.model_id) AS models, COUNT(*) AS versions
    FROM model_versions v
    WHERE v.deleted_at IS NULL AND v.python_version <> ''
    GROUP BY v.python_version
) counted
"""

PACKAGE_USAGE = """
SELECT p.name, p.specifier, v.id AS model_version_id, v.model_id, m.name AS model_name, r.name AS ml_repo_name,
       v.version, COALESCE(m.latest_version_id = v.id, FALSE) AS is_latest, p.requirement
FROM model_version_packages p
JOIN model_versions v ON v.id = p.model_version_id AND v.deleted_at IS NULL
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = {repo_of_version}
"""

METRIC_LEADERBOARD = """
SELECT x.key, x.position, v.id AS model_version_id, v.model_id, m.name AS model_name, r.name AS ml_repo_name,
       v.version, x.value, x.position_from_least
FROM (
    SELECT model_version_id, key, value,
           RANK() OVER (PARTITION BY key ORDER BY value DESC) AS position,
           RANK() OVER (PARTITION BY key ORDER BY value) AS position_from_least
    FROM latest_metrics
    WHERE value IS NOT NULL
) x
JOIN model_versions v ON v.id = x.model_version_id
LEFT JOIN models m ON m.id = v.model_id
LEFT JOIN ml_repos r ON r.id = {repo_of_version}
"""

# PostgreSQL fails where a difference or a quotient passes what a double can hold: such are left out.
METRIC_REGRESSIONS = """
SELECT x.model_id, m.name AS model_name, r.name AS ml_repo_name, x.key, x.from_version, x.to_version,
       x.from_value, x.to_value,
       CASE WHEN ABS(x.from_value) < 8e307 AND ABS(x.to_value) < 8e307 THEN x.to_value - x.from_value END AS change,
       CASE WHEN ABS(x.from_value) > 1e-150 AND ABS(x.from_value) < 1e150 AND ABS(x.to_value) < 1e150
            THEN (x.to_value - x.from_value) / ABS(x.from_value)
       END AS change_share
FROM (
    SELECT v.model_id, v.ml_repo_id, l.key, v.version AS to_version, l.value AS to_value,
           LAG(v.version) OVER story AS from_version, LAG(l.value) OVER story AS from_value
    FROM latest_metrics l
    JOIN model_versions v ON v.id = l.model_version_id
    WHERE l.value IS NOT NULL AND v.version IS NOT NULL
    WINDOW story AS (PARTITION BY v.model_id, l.key ORDER BY v.version, v.id)
) x
LEFT JOIN models m ON m.id = x.model_id
LEFT JOIN ml_repos r ON r.id = COALESCE(x.ml_repo_id, m.ml_repo_id)
WHERE x.from_version IS NOT NULL
"""

STORAGE_BY_ML_REPO = """
SELECT n.ml_repo_id, r.name AS ml_repo_name, SUM(n.models) AS models, SUM(n.versions) AS versions,
       SUM(n.versions_without_size) AS versions_without_size, CAST(SUM(n.size) AS BIGINT) AS artifact_size_bytes
FROM (
    SELECT id AS ml_repo_id, 0 AS models, 0 AS versions, 0 AS versions_without_size, 0 AS size
    FROM ml_repos
    WHERE deleted_at IS NULL
    UNION ALL
    SELECT ml_repo_id, 1, 0, 0, 0 FROM models WHERE deleted_at IS NULL
    UNION ALL
    SELECT {repo_of_version}, 0, 1, CASE WHEN {size} IS NULL THEN 1 ELSE 0 END, COALESCE({size}, 0)
    FROM model_versions v
    LEFT JOIN models m ON m.id = v.model_id
    WHERE v.deleted_at IS NULL
) n
LEFT JOIN ml_repos r ON r.id = n.ml_repo_id
GROUP BY n.ml_repo_id, r.name
"""

AUTHORSHIP = """
SELECT CASE WHEN s.type = 'user' THEN 'person'
            WHEN s.type IN ('serviceaccount', 'virtualaccount') THEN 'service account'
            ELSE COALESCE(s.type, 'unknown')
       END AS author_kind,
       n.subject_id, {owner} AS display_name, n.models, n.versions, n.last_created_at
FROM (
    SELECT subject_id, SUM(models) AS models, SUM(versions) AS versions, MAX(created_at) AS last_created_at
    FROM (
        SELECT created_by_id AS subject_id, 1 AS models, 0 AS versions, created_at
        FROM models
        WHERE deleted_at IS NULL
        UNION ALL
        SELECT created_by_id, 0, 1, created_at FROM model_versions WHERE deleted_at IS NULL
    ) made
    GROUP BY subject_id
) n
LEFT JOIN subjects s ON s.id = n.subject_id
"""

GROWTH = """
SELECT n.day, n.ml_repo_id, r.name AS ml_repo_name, n.models_created, n.versions_created
FROM (
    SELECT {day} AS day, n.ml_repo_id, SUM(n.models) AS models_created, SUM(n.versions) AS versions_created
    FROM (
        SELECT ml_repo_id, created_at, 1 AS models, 0 AS versions FROM models WHERE deleted_at IS NULL
        UNION ALL
        SELECT {repo_of_version}, v.created_at, 0, 1
        FROM model_versions v
        LEFT JOIN models m ON m.id = v.model_id
        WHERE v.deleted_at IS NULL
    ) n
    WHERE n.created_at IS NOT NULL
    GROUP BY {day}, n.ml_repo_id
) n
LEFT JOIN ml_repos r ON r.id = n.ml_repo_id
"""

# PostgreSQL makes the sum of 64-bit numbers one of any length, and the mapping promises 64 bits: made anew there.
SYNC_FRESHNESS = """
SELECT f.scope, f.last_complete_run_id, f.last_complete_at,
       EXTRACT(EPOCH FROM now() - f.last_complete_at)::double precision AS age_seconds, f.last_full_at, f.watermark,
       (SELECT COUNT(*) FROM models m WHERE m.deleted_at IS NULL) AS models,
       (SELECT COUNT(*) FROM model_versions v WHERE v.deleted_at IS NULL) AS model_versions,
       {rejected} AS rejected
FROM sync_scopes f
"""
REJECTED = "COALESCE((SELECT SUM(c.rejected) FROM sync_run_counts c WHERE c.run_id = f.last_complete_run_id), 0)"

VIEWS = {
    "inventory": (INVENTORY, "n.owner_id", "Models and versions by ML repo, owner and framework."),
    "production_versions": (
        PRODUCTION_VERSIONS,
        "v.created_by_id",
        "Versions that a tag or alias says are in production.",
    ),
    "undocumented_models": (UNDOCUMENTED_MODELS, "m.created_by_id", "Models without a description, an owner or tags."),
    "stale_models": (STALE_MODELS, "m.created_by_id", "Every model with the days since its last version."),
    "deployability": (DEPLOYABILITY, "", "How many models and versions the control plane can deploy."),
    "base_model_usage": (BASE_MODEL_USAGE, "", "Base models in use."),
    "python_usage": (PYTHON_USAGE, "", "Python versions in use."),
    "package_usage": (PACKAGE_USAGE, "", "Which versions ask for which package."),
    "metric_leaderboard": (
        METRIC_LEADERBOARD,
        "",
        "The last finite value of each metric of each version, ranked.",
    ),
    "metric_regressions": (
        METRIC_REGRESSIONS,
        "",
        "What each metric of a version became since the version before that has it too.",
    ),
    "storage_by_ml_repo": (STORAGE_BY_ML_REPO, "", "Size of the artifacts in each ML repo."),
    "authorship": (
        AUTHORSHIP,
        "n.subject_id",
        "Who created the models and versions: people and service accounts.",
    ),
    "growth": (GROWTH, "", "Models and versions by the day on which they were created."),
}
"""Each view: its query, the id of its owner, what it holds."""


def _query(text: str, owner_id: str, dialect: str) -> str:
    differing = DIFFERENCES[dialect]
    return text.format(
        owner=OWNER.format(id=owner_id),
        size=SIZE,
        repo_of_version=REPO_OF_VERSION,
        means_production=MEANS_PRODUCTION,
        alias_means_production=ALIAS_MEANS_PRODUCTION.format(plain=differing["plain"]),
        digits=DIGITS,
        blanks=" \n\r\t",
        days_since=differing["days_since"].format("n.last_version_at"),
        day=differing["day"],
        plain=differing["plain"],
    )


def upgrade() -> None:
    """Create the views."""
    dialect = op.get_bind().dialect.name
    for name, (text, owner_id, comment) in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {_query(text, owner_id, dialect)}")
        if dialect == "postgresql":
            op.execute(f"COMMENT ON VIEW {name} IS '{comment}'")
    if dialect == "postgresql":
        _replace_sync_freshness(f"CAST({REJECTED} AS BIGINT)")


def downgrade() -> None:
    """Drop them."""
    if op.get_bind().dialect.name == "postgresql":
        _replace_sync_freshness(REJECTED)
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")


def _replace_sync_freshness(rejected: str) -> None:
    op.execute("DROP VIEW sync_freshness")
    op.execute(f"CREATE VIEW sync_freshness AS {SYNC_FRESHNESS.format(rejected=rejected)}")
    op.execute(
        "COMMENT ON VIEW sync_freshness IS "
        "'Age of the last complete run of each scope, and what is live in the tables.'"
    )
