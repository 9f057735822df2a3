"""What a run says when its wire to PostgreSQL is disturbed at the worst moments."""

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


class Transport:
    """Passes on what client and server say; of the words it is told to watch for, the first make trouble."""

    def __init__(self, url: str) -> None:
        """Stand before the server of the URL; `self.url` is where to call instead."""
        there = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(there) as connection:
            self._server = (connection.info.host, connection.info.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends = [self._listener]
        self._muted: socket.socket | None = None
        self._watched: bytes | None = None
        self._trouble: Callable[[socket.socket], bool] = lambda _server: True
        port = self._listener.getsockname()[1]
        query = {"sslmode": "disable", "gssencmode": "disable"}
        self.url = make_url(url).set(host="127.0.0.1", port=port, query=query).render_as_string(hide_password=False)
        threading.Thread(target=self._serve, daemon=True).start()

    def watch(self, words: bytes, trouble: Callable[[socket.socket], bool]) -> None:
        """`trouble` is given the server's end, and tells whether the words are to be passed on."""
        self._watched, self._trouble = words, trouble

    def lose_the_question(self, _server: socket.socket) -> bool:
        return False

    def lose_the_answer(self, server: socket.socket) -> bool:
        self._muted = server
        return True

    def cut(self, _server: socket.socket | None = None) -> bool:
        """Nothing gets through any more."""
        _close(*self._ends)
        return False

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, server = self._listener.accept()[0], self._dialled()
                self._ends += [client, server]
                for way in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=way, daemon=True).start()

    def _dialled(self) -> socket.socket:
        host, port = self._server
        if not host.startswith("/"):
            return socket.create_connection(self._server)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _pass_on(self, come: socket.socket, go: socket.socket) -> None:
        with suppress(OSError):
            while words := come.recv(65536):
                if self._watched is not None and self._watched in words:
                    self._watched = None
                    if not self._trouble(go):
                        break
                if come is self._muted:
                    break
                go.sendall(words)
        _close(come, go)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):  # which another thread may have closed
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@pytest.fixture
def env(migrated_template: str, postgres_url: str) -> Iterator[SyncEnv]:
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url) as env:
        yield env


@pytest.fixture
def wire(env: SyncEnv) -> Iterator[Transport]:
    wire = Transport(env.url)
    yield wire
    wire.cut()


def sync(env: SyncEnv, wire: Transport, words: bytes, phase: str, trouble: Callable[[socket.socket], bool]) -> Summary:
    """A run over the wire, which looks for the words from a phase on."""

    class RunMonitor(Silent):
        def phase(self, name: str) -> None:
            if name == phase:
                wire.watch(words, trouble)

    with Interrupts() as interrupts:
        return run(env.settings(database_url=wire.url), interrupts=interrupts, progress=RunMonitor())


def test_a_commit_whose_answer_is_lost_was_made(env: SyncEnv, wire: Transport) -> None:
    summary = sync(env, wire, b"COMMIT\0", "writing", wire.lose_the_answer)

    assert (summary.status, summary.exit_code) == ("succeeded", 0)
    assert env.row(SyncRun)["status"] == "succeeded"
    assert env.held() == env.served()


def test_a_commit_that_never_arrived_failed(env: SyncEnv, wire: Transport) -> None:
    with pytest.raises(StoreError) as failure:
        sync(env, wire, b"COMMIT\0", "writing", wire.lose_the_question)

    assert "unknown" not in str(failure.value)
    assert env.row(SyncRun)["status"] == "failed"
    assert not any(env.registry_dump().values())


def test_a_commit_that_nobody_can_ask_about_is_told_as_unknown(
    env: SyncEnv, wire: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StoreError, match="It is unknown whether this run was written: run tfy-etl status once"):
        sync(env, wire, b"COMMIT\0", "writing", wire.cut)

    assert "nothing of this run was written" not in caplog.text


def test_a_signal_while_rows_are_copied_is_an_interruption_and_nothing_else(
    env: SyncEnv, wire: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(_server: socket.socket) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return True

    with pytest.raises(Interrupted):
        sync(env, wire, b"COPY", "models", interrupt)

    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
    assert env.row(SyncRun)["status"] == "interrupted"
    assert not any(env.registry_dump().values())
