"""Datasette on the loopback address, until a signal ends it."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from datasette.app import Datasette
from datasette.database import Database
from datasette.plugins import pm
from datasette.utils.asgi import Response

from etl.errors import ConfigError
from etl.explore import description
from etl.store import browsing

NAME = "registry"
"""Of the database in every address, whatever its file is called."""

_HOST = "127.0.0.1"
_NAMES_OF_HOST = {_HOST, "localhost"}
_SETTINGS = {
    "allow_download": False,
    "default_cache_ttl": 0,  # a run may have written meanwhile
    "facet_time_limit_ms": 2_000,
    "sql_time_limit_ms": 10_000,
    "suggest_facets": False,  # it tries every column, large ones too
}
# Whatever the registry holds, a page of it has nothing to ask of another host.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'none'"
)


class Listener(NamedTuple):
    """A socket that browsers may connect to, and the address of what will be served there."""

    socket: socket.socket
    url: str


def listen(port: int) -> Listener:
    """Take the port, or a free one for 0; ConfigError when another program has it."""
    taken = socket.socket()
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((_HOST, port))
        taken.listen()
    except OSError as error:
        taken.close()
        raise ConfigError(
            f"Cannot listen on port {port} ({os.strerror(error.errno or 0)}): name another one with --port."
        ) from error
    return Listener(taken, f"http://{_HOST}:{taken.getsockname()[1]}/{NAME}")


def serve(path: Path, listener: Listener) -> None:
    """Answer until SIGINT or SIGTERM comes."""
    # Else each slip in somebody's SQL is printed on stdout, with all variables of every function that is at work.
    pm.get_plugin("datasette.handle_exception").rich = None
    datasette = Datasette(settings=_SETTINGS, metadata=description.metadata(NAME))
    datasette.remove_database("_memory")  # it adds one where no file is named
    registry = datasette.add_database(_Registry(datasette, path), name=NAME)
    config = uvicorn.Config(
        _protect(datasette.app()),
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=0,
    )
    # It raises a signal once more when it is done: then there is nothing left to do.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        uvicorn.Server(config).run(sockets=[listener.socket])
    finally:
        datasette.executor.shutdown(wait=False, cancel_futures=True)
        registry.interrupt()  # the process ends when its threads do


class _Registry(Database):
    """The file, opened as the store opens it, and with the joins that are no foreign keys."""

    def __init__(self, datasette: Datasette, path: Path) -> None:
        super().__init__(datasette, path=str(path))
        self._connections: list[Any] = []

    def connect(self, write: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002 so it is called; nobody writes
        connection = browsing.connect(Path(self.path))
        self._connections.append(connection)
        return connection

    def interrupt(self) -> None:
        """End every query that is at work."""
        for connection in self._connections:
            connection.interrupt()

    async def foreign_keys_for_table(self, table: str) -> list[dict[str, str]]:
        """What each column of a table or view names."""
        return [_key(column, other, "id") for column, other in description.joins().get(table, {}).items()]

    async def get_all_foreign_keys(self) -> dict[str, dict[str, list[dict[str, str]]]]:
        """The same for all tables, from both ends."""
        found: dict[str, dict[str, list[dict[str, str]]]] = {
            table: {"incoming": [], "outgoing": []} for table in await self.table_names()
        }
        for table in description.TABLES:
            for column, other in description.joins()[table].items():
                found[table]["outgoing"].append(_key(column, other, "id"))
                found[other]["incoming"].append(_key("id", table, column))
        return found


def _key(column: str, other_table: str, other_column: str) -> dict[str, str]:
    return {"column": column, "other_table": other_table, "other_column": other_column}


def _protect(app: Callable[..., Any]) -> Callable[..., Any]:
    """The application, for who calls this machine by its own name.

    Else a page of anybody's could have its own name lead here, and read the registry in its reader's browser.
    """

    async def protected(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        async def send_with_policy(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY.encode())]
            await send(message)

        host = dict(scope.get("headers", ())).get(b"host", b"").decode("latin-1")
        if scope["type"] == "http" and host.partition(":")[0] not in _NAMES_OF_HOST:
            await Response.text("Call this by its own address, 127.0.0.1 or localhost.", status=403).asgi_send(send)
        else:
            await app(scope, receive, send_with_policy)

    return protected
