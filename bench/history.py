"""Fills `changes` with a history that a registry of this size would have after a year of daily runs.

For each version: its creation, a tag added and removed, a metric and a description. One version in ten also has
the tag `production` added and removed. SQL derives the rows from those of the registry.
"""

from collections.abc import Iterator

from bench.databases import Loaded

RUNS = 365

_RUNS = """
INSERT INTO sync_runs (id, started_at, finished_at, status, complete, coverage, mode, proof, scope, host, api_prefix,
                       tool_version, requests, retries, bytes_received)
SELECT 'past-' || n.number, {at}, {at}, 'succeeded', TRUE, 'all', 'full', 'anchored', '{{}}', 'https://a.example',
       '/api', '0', 1, 0, 1
FROM (WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < {runs}) SELECT * FROM n) n
"""
_CHANGES = """
INSERT INTO changes (run_id, observed_at, entity, entity_id, kind, field, old_value, new_value)
SELECT 'past-' || n.number, {at}, 'model_versions', n.id, n.kind, n.field, n.old_value, n.new_value
FROM (
    SELECT v.id, {hash} % ({runs} - 200) + 1 + k.later AS number, k.kind, k.field, k.old_value, k.new_value
    FROM model_versions v
    CROSS JOIN (
        SELECT 0 AS later, 1 AS share, 'created' AS kind, CAST(NULL AS TEXT) AS field, CAST(NULL AS TEXT) AS old_value,
               CAST(NULL AS TEXT) AS new_value
        UNION ALL SELECT 20, 1, 'tag_added', 'tags', NULL, 'candidate'
        UNION ALL SELECT 40, 1, 'tag_removed', 'tags', 'candidate', NULL
        UNION ALL SELECT 50, 10, 'tag_added', 'tags', NULL, 'production'
        UNION ALL SELECT 90, 10, 'tag_removed', 'tags', 'production', NULL
        UNION ALL SELECT 60, 1, 'updated', 'description', 'a', 'b'
        UNION ALL SELECT 70, 1, 'updated', 'metrics.auc', '0.5', '0.75'
    ) k
    WHERE {hash} % k.share = 0
) n
ORDER BY n.number
"""
_DIALECTS = {
    "sqlite": {
        "at": "strftime('%Y-%m-%d %H:%M:%f000', 'now', (n.number - {runs}) || ' days')",
        "hash": "(v.rowid)",
    },
    "postgresql": {
        "at": "now() + (n.number - {runs}) * interval '1 day'",
        "hash": "abs(hashtext(v.id))",
    },
}


def statements(loaded: Loaded) -> Iterator[str]:
    """Yield the statements that write the history."""
    parts = _DIALECTS["sqlite" if loaded.url.startswith("sqlite") else "postgresql"]
    parts = {name: part.format(runs=RUNS) for name, part in parts.items()} | {"runs": str(RUNS)}
    first_seen = parts["at"].replace("n.number", "1")
    for table in ("ml_repos", "models", "model_versions"):
        yield f"UPDATE {table} SET first_seen_at = {first_seen}"  # noqa: S608 names of our own
    yield _RUNS.format(**parts)
    yield _CHANGES.format(**parts)
    yield "ANALYZE"
