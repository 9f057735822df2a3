"""Read snapshots while runs write, and check that each snapshot is the result of whole runs."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import make_url

from tests.support.databases import libpq

_LIVE = """
    SELECT 'ml_repos', COUNT(*) FROM ml_repos WHERE deleted_at IS NULL
    UNION ALL SELECT 'models', COUNT(*) FROM models WHERE deleted_at IS NULL
    UNION ALL SELECT 'model_versions', COUNT(*) FROM model_versions WHERE deleted_at IS NULL
"""
_COUNTED = "SELECT entity, SUM(inserted + restored - deleted) FROM sync_run_counts GROUP BY entity"
_NEWEST = "SELECT id FROM sync_runs WHERE status = 'succeeded' ORDER BY started_at DESC LIMIT 1"
_TAGS = """
    SELECT t.tag, COUNT(*) FROM model_version_tags t JOIN model_versions v ON v.id = t.model_version_id
    WHERE v.deleted_at IS NULL GROUP BY t.tag
"""
_WRITTEN = "SELECT DISTINCT run_id, new_value FROM changes WHERE kind = 'tag_added' AND new_value <> 'kept'"
_OF_NO_RUN = """
    SELECT COUNT(*) FROM changes c LEFT JOIN sync_runs r ON r.id = c.run_id
    WHERE r.status IS NULL OR r.status <> 'succeeded'
"""


@dataclass
class SnapshotReader:
    """The snapshots read so far; in each, every version must have the tag `kept` and one other, common tag."""

    looks: int = 0
    states: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def look(self, connection: Any) -> None:
        """Check one snapshot in the open transaction of the connection."""

        def query(statement: str) -> list[Any]:
            return list(connection.execute(statement).fetchall())

        live, counted = dict(query(_LIVE)), {entity: int(number) for entity, number in query(_COUNTED)}
        ((newest,),), tags, written = query(_NEWEST), dict(query(_TAGS)), dict(query(_WRITTEN))
        words = tags.keys() - {"kept"}
        self.looks += 1
        self.states.add(newest)
        checks = {
            "the tables have the records that the rows of the runs count": live == counted,
            "each version has its tags": set(tags.values()) == {live["model_versions"]},
            "all versions are of the same run": len(words) == 1,
            "it is the newest run": newest not in written or words == {written[newest]},
            "every change is of a run that was written": query(_OF_NO_RUN) == [(0,)],
        }
        self.faults += [
            f"not true: {check} ({live}, {counted}, {tags})" for check, holds in checks.items() if not holds
        ]


@contextmanager
def snapshots(url: str, pause: float = 0.03) -> Iterator[SnapshotReader]:
    """Read one snapshot after another while the block runs, `pause` seconds apart, and fail if one is wrong."""
    reader, stop = SnapshotReader(), threading.Event()

    def read() -> None:
        try:
            with closing(_connection(url)) as connection:
                while not stop.wait(pause):
                    connection.execute("BEGIN")
                    reader.look(connection)
                    connection.execute("COMMIT")
        except (sqlite3.Error, psycopg.Error) as error:
            reader.faults.append(f"the reader failed: {error}")

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield reader
    finally:
        stop.set()
        thread.join()
    assert not reader.faults, reader.faults[:3]


def _connection(url: str) -> Any:
    if url.startswith("sqlite"):
        file = str(make_url(url).database)
        return sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    connection = psycopg.connect(libpq(url), autocommit=True)
    connection.execute("SET default_transaction_isolation = 'repeatable read'")
    return connection
