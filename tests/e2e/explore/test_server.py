"""The server: access control and shutdown."""

import signal
import socket
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from etl.store import queries
from tests.e2e.cli.commands import TOKEN
from tests.e2e.explore.conftest import Explored, exploring
from tests.support.patience import patience

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"


def test_nothing_can_be_written(explored: Explored) -> None:
    before = explored.env.dump()
    for sql in (
        "DELETE FROM models",
        "WITH x AS (SELECT 1) DELETE FROM models",
        "ATTACH '/etc/passwd' AS other",
        "PRAGMA query_only = 0",
        "VACUUM INTO '/tmp/elsewhere.db'",
        "SELECT 1; DELETE FROM models",
    ):
        assert httpx.get(f"{explored.url}.json", params={"sql": sql}, timeout=patience()).status_code == 400, sql
    assert (
        httpx.post(f"{explored.url}/models", data={"sql": "DELETE FROM models"}, timeout=patience()).status_code >= 400
    )
    assert explored.env.dump() == before


def test_the_connection_can_neither_write_nor_open_another_file(migrated_file: Path, tmp_path: Path) -> None:
    connection = queries.explore.connect(migrated_file)
    for sql in ("DELETE FROM models", f"ATTACH '{tmp_path / 'other.db'}' AS other", f"VACUUM INTO '{tmp_path / 'x'}'"):
        with pytest.raises(sqlite3.OperationalError):
            connection.execute(sql)
    connection.close()
    assert list(tmp_path.iterdir()) == []


def test_no_url_shows_the_token_or_a_file(explored: Explored) -> None:
    host = explored.url.rpartition("/")[0]
    for path in ("versions", "plugins", "settings", "threads", "databases", "metadata", "actor"):
        assert TOKEN not in httpx.get(f"{host}/-/{path}.json", timeout=patience()).text
    for path in (
        "-/static/../../../../../../etc/passwd",
        "-/static/%2e%2e/%2e%2e/app.py",
        "odd%20%231.db",
        "registry.db",
    ):
        assert httpx.get(f"{host}/{path}", timeout=patience()).status_code in {403, 404}


def test_foreign_host_headers_are_rejected(explored: Explored) -> None:
    host = explored.url.rpartition("/")[0]
    port = host.rpartition(":")[2]
    for name, status in ((f"localhost:{port}", 200), ("localhost", 200), ("evil.example", 403), (f"a.b:{port}", 403)):
        assert httpx.get(explored.url, headers={"Host": name}, timeout=patience()).status_code == status
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))  # another loopback address, on which the server must not listen
        assert other.connect_ex(("127.0.0.2", int(port))) != 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("busy", [False, True])
def test_signal_stops_the_server_during_a_query(number: signal.Signals, *, busy: bool, explored: Explored) -> None:
    with exploring(explored.env.url) as (process, url):
        assert httpx.get(f"{url}.json", timeout=patience()).status_code == 200
        query_thread = threading.Thread(target=run_endless_query, args=(url,)) if busy else None
        if query_thread:
            query_thread.start()
        process.send_signal(number)
        assert process.wait(patience()) == 0
        if query_thread:
            query_thread.join()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def run_endless_query(url: str) -> None:
    """Run an endless query, and ignore the closed connection."""
    with suppress(httpx.HTTPError):
        httpx.get(f"{url}.json", params={"sql": ENDLESS}, timeout=patience())
