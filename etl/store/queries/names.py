"""The names of records. The caller has begun a transaction."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from etl.store.staging_tables import TABLES

_REPOS = TABLES["ml_repos"]


def ml_repo_names(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Return the names of the ML repos by id, of those that are stored and have one."""
    query = select(_REPOS.c.id, _REPOS.c.name).where(_REPOS.c.id.in_(ids), _REPOS.c.name.is_not(None))
    return {row.id: row.name for row in connection.execute(query)}
