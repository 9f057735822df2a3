"""Samples the sessions of a PostgreSQL database while runs use it: connections, merges, waits for the merge lock."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

_SAMPLES_PER_SECOND = 20

# Runs try their own locks without waiting, so every wait is for another run's merge. A merge writes subjects first.
_SESSIONS = """
SELECT (SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()),
       count(*) FILTER (WHERE locktype = 'advisory' AND NOT granted),
       count(*) FILTER (WHERE relation = to_regclass('subjects') AND mode = 'RowExclusiveLock' AND granted)
FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass
class Sessions:
    """The most connections at a time, and the seconds that all sessions together merged or waited for a merge."""

    most_connections: int = 0
    waiting_s: float = 0.0
    merging_s: float = 0.0


@contextmanager
def sampled(url: str) -> Iterator[Sessions]:
    """Sample the other sessions of a database inside this context; its tables must exist."""
    sessions, ended = Sessions(), threading.Event()
    with psycopg.connect(url, autocommit=True) as connection:
        watching = threading.Thread(target=_watch, args=(connection, sessions, ended))
        watching.start()
        try:
            yield sessions
        finally:
            ended.set()
            watching.join()


def _watch(connection: psycopg.Connection, sessions: Sessions, ended: threading.Event) -> None:
    before = time.monotonic()
    while not ended.wait(1 / _SAMPLES_PER_SECOND):
        ((connections, waiting, merging),) = connection.execute(_SESSIONS).fetchall()
        since, before = time.monotonic() - before, time.monotonic()
        sessions.most_connections = max(sessions.most_connections, connections)
        sessions.waiting_s += waiting * since
        sessions.merging_s += merging * since
