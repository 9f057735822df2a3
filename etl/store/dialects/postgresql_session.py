"""A session with PostgreSQL: its settings, whatever the role and the database prefer, and who blocks it."""

from typing import Any

from sqlalchemy import Connection, text

from etl.errors import ConfigError
from etl.models import VERSION_TABLE, Base

LOCK_TIMEOUT_S = 60
"""Seconds that a statement waits for a lock of another session."""

MIGRATION_LOCK_TIMEOUT_S = 3
"""The same for a migration. While it waits for a table, it blocks all readers that come later."""

MERGE_TIMEOUT_S = 600
"""Seconds that a run waits for the merges of other runs, and a migration for other migrations."""

# Detect within 90 seconds that the other host has disappeared without closing the connection. By default, client and
# server take hours.
KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 6}

_SCHEMA_OF_TABLES = """
    SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)
"""
_BLOCKERS = text("""
    SELECT a.pid, a.usename, a.application_name, a.state
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_class c ON c.oid = l.relation
    WHERE l.granted AND a.pid <> pg_backend_pid() AND a.datname = current_database()
          AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    ORDER BY l.mode LIKE '%Exclusive%' DESC, a.xact_start LIMIT 1
""")

# The serial columns take their values from sequences, which have privileges of their own.
_MAY_WRITE = text("""
    SELECT current_setting('transaction_read_only') = 'on' AS only_reads,
           has_database_privilege(current_database(), 'TEMPORARY') AS may_stage,
           EXISTS (
               SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = current_schema() AND c.relname = ANY(:names) AND CASE c.relkind
                   WHEN 'r' THEN NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                                      AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
                   WHEN 'S' THEN NOT has_sequence_privilege(c.oid, 'USAGE')
               END
           ) AS lacks_writes,
           quote_ident(current_schema()) AS schema, quote_ident(current_database()) AS database,
           quote_ident(current_user) AS role
""")


# With too little, the server scans a subquery of many models again for each version.
_RAISE_WORK_MEM = """
    SELECT set_config('work_mem', '64MB', false)
    WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB')
"""


def set_up(connection: Any) -> None:
    """Set up a new session of psycopg. ConfigError if the database cannot hold all text.

    If tfy-etl has tables on the search path, the path becomes exactly their schema. Two runs that reach the same tables
    by different paths then use the same locks.
    """
    settings = [
        "client_encoding = 'UTF8'",
        "DateStyle = 'ISO, MDY'",
        # In a time zone ahead of UTC, the last hours of the year 9999 would exceed Python's datetime.
        "TIME ZONE 'UTC'",
        f"lock_timeout = '{LOCK_TIMEOUT_S}s'",
        # Compiling takes longer than it saves: a second of a large first load, and seconds for a view in a snapshot.
        "jit = off",
        *(f"tcp_{name} = {value}" for name, value in KEEPALIVES.items()),
    ]
    connection.execute("; ".join([*(f"SET {each}" for each in settings), _RAISE_WORK_MEM]))
    # After a few executions, the server would plan a prepared statement without its parameters, and often badly.
    connection.prepare_threshold = None
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        connection.close()  # SQLAlchemy 2.0 leaves it open
        raise ConfigError(
            f"The database has the encoding {encoding}, which cannot hold all text: create one with ENCODING 'UTF8'."
        )
    found = connection.execute(_SCHEMA_OF_TABLES, [VERSION_TABLE]).fetchone()
    if found is not None:
        connection.execute("SELECT set_config('search_path', quote_ident(%s), false)", found)
    connection.commit()


def limit_lock_wait(connection: Connection, seconds: float) -> None:
    """Set the time to wait for a lock, until the transaction ends."""
    connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": f"{seconds:g}s"})


def blocking_session(connection: Connection) -> str | None:
    """Describe the session that has locked tables of the schema for the longest time; None if there is none."""
    found = connection.execute(_BLOCKERS).first()
    if found is None:
        return None
    details = (f"role {found.usename}", f"application {found.application_name or 'unknown'}", found.state)
    return f"session {found.pid} ({', '.join(filter(None, details))})"


def check_may_write(connection: Connection) -> None:
    """Raise ConfigError, with the fix, if the role may only read, or may not stage rows."""
    names = [name for table in Base.metadata.tables for name in (table, f"{table}_id_seq")]
    found = connection.execute(_MAY_WRITE, {"names": names}).one()
    if found.only_reads:
        raise ConfigError(f"The role {found.role} can only read here: use a role and a server that may write.")
    if found.lacks_writes:
        within = f"IN SCHEMA {found.schema} TO {found.role}"
        raise ConfigError(
            f"The role {found.role} may not write every table: run GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES "
            f"{within}; GRANT USAGE ON ALL SEQUENCES {within}."
        )
    if not found.may_stage:
        raise ConfigError(
            f"The role {found.role} may not create temporary tables: run GRANT TEMPORARY ON DATABASE {found.database} "
            f"TO {found.role}."
        )
