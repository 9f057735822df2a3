"""Results of runs whose connection to PostgreSQL is disturbed during a commit or a copy."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import make_url

from etl.errors import Interrupted, StoreError
from etl.models import SyncRun
from etl.sync import Interrupts, Summary, run
from tests.support.databases import new_database
from tests.support.sync_env import Silent, SyncEnv, sync_env


class PostgresProxy:
    """Forwards data between client and server, and disturbs the connection at the first match of a pattern."""

    def __init__(self, url: str) -> None:
        """Forward connections to `self.url` to the server of the URL."""
        server_url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(server_url) as connection:
            self._server = (connection.info.host, connection.info.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self._muted_server: socket.socket | None = None
        self._pattern: bytes | None = None
        self._disturb: Callable[[socket.socket], bool] = lambda _server: True
        port = self._listener.getsockname()[1]
        query = {"sslmode": "disable", "gssencmode": "disable"}
        self.url = make_url(url).set(host="127.0.0.1", port=port, query=query).render_as_string(hide_password=False)
        threading.Thread(target=self._serve, daemon=True).start()

    def watch(self, pattern: bytes, disturb: Callable[[socket.socket], bool]) -> None:
        """At the pattern, call `disturb` with the receiving socket; forward the data only if it returns true."""
        self._pattern, self._disturb = pattern, disturb

    def drop_request(self, _server: socket.socket) -> bool:
        return False

    def drop_response(self, server: socket.socket) -> bool:
        self._muted_server = server
        return True

    def disconnect(self, _server: socket.socket | None = None) -> bool:
        """Close all connections."""
        _close(*self._sockets)
        return False

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, server = self._listener.accept()[0], self._connect()
                self._sockets += [client, server]
                for direction in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=direction, daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = self._server
        if not host.startswith("/"):
            return socket.create_connection(self._server)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._pattern is not None and self._pattern in data:
                    self._pattern = None
                    if not self._disturb(target):
                        break
                if source is self._muted_server:
                    break
                target.sendall(data)
        _close(source, target)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):  # another thread may have closed it
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@pytest.fixture
def env(migrated_template: str, postgres_url: str) -> Iterator[SyncEnv]:
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url) as env:
        yield env


@pytest.fixture
def proxy(env: SyncEnv) -> Iterator[PostgresProxy]:
    proxy = PostgresProxy(env.url)
    yield proxy
    proxy.disconnect()


def sync(
    env: SyncEnv, proxy: PostgresProxy, pattern: bytes, phase: str, disturb: Callable[[socket.socket], bool]
) -> Summary:
    """Run through the proxy, which looks for the pattern from this phase on."""

    class WatchFromPhase(Silent):
        def phase(self, name: str) -> None:
            if name == phase:
                proxy.watch(pattern, disturb)

    with Interrupts() as interrupts:
        return run(env.settings(database_url=proxy.url), interrupts=interrupts, progress=WatchFromPhase())


def test_run_succeeds_if_only_the_response_to_its_commit_is_lost(env: SyncEnv, proxy: PostgresProxy) -> None:
    summary = sync(env, proxy, b"COMMIT\0", "writing", proxy.drop_response)

    assert (summary.status, summary.exit_code) == ("succeeded", 0)
    assert env.row(SyncRun)["status"] == "succeeded"
    assert env.held() == env.served()


def test_run_succeeds_if_the_connection_is_lost_after_its_commit(env: SyncEnv, proxy: PostgresProxy) -> None:
    def disconnect_at_rollback(_server: socket.socket) -> bool:
        proxy.watch(b"ROLLBACK\0", proxy.disconnect)
        return True

    summary = sync(env, proxy, b"pg_advisory_unlock_all", "writing", disconnect_at_rollback)

    assert (summary.status, summary.exit_code) == ("succeeded", 0)
    assert env.row(SyncRun)["status"] == "succeeded"


def test_run_fails_if_its_commit_does_not_reach_the_server(env: SyncEnv, proxy: PostgresProxy) -> None:
    with pytest.raises(StoreError) as failure:
        sync(env, proxy, b"COMMIT\0", "writing", proxy.drop_request)

    assert "unknown" not in str(failure.value)
    assert env.row(SyncRun)["status"] == "failed"
    assert not any(env.registry_dump().values())


def test_result_is_unknown_if_the_connection_is_lost_at_the_commit(
    env: SyncEnv, proxy: PostgresProxy, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StoreError, match="It is unknown whether this run was written: run tfy-etl status once"):
        sync(env, proxy, b"COMMIT\0", "writing", proxy.disconnect)

    assert "nothing of this run was written" not in caplog.text


def test_signal_during_a_copy_interrupts_the_run_without_warnings(
    env: SyncEnv, proxy: PostgresProxy, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(_server: socket.socket) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return True

    with pytest.raises(Interrupted):
        sync(env, proxy, b"COPY", "models", interrupt)

    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
    assert env.row(SyncRun)["status"] == "interrupted"
    assert not any(env.registry_dump().values())
