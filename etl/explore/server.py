"""Runs Datasette on the loopback address until a signal ends it."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils.asgi import Response

from etl.errors import ConfigError
from etl.explore import description, plugin
from etl.explore.database import NAME, RegistryDatabase

_HOST = "127.0.0.1"
_NAMES_OF_HOST = {_HOST, "localhost"}
_SETTINGS = {
    "allow_download": False,
    "default_cache_ttl": 0,  # a run may write at any time
    "facet_time_limit_ms": 2_000,
    "max_csv_mb": 0,  # no limit: CSV has all rows
    "max_returned_rows": 10_000,  # with `_size=max`
    "sql_time_limit_ms": 10_000,
    "suggest_facets": False,  # it would query every column, also large ones
    "truncate_cells_html": 200,
}
_FOLDER = Path(__file__).parent
# Pages show untrusted text of the registry: block requests to other hosts.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
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


def create_app(path: Path) -> tuple[Datasette, RegistryDatabase]:
    """Return Datasette with our pages, and its only database."""
    if not pm.is_registered(plugin):
        pm.register(plugin)
    # Otherwise Datasette prints a traceback with all local variables for each error in a user's SQL.
    pm.get_plugin("datasette.handle_exception").rich = None
    datasette = Datasette(
        settings=_SETTINGS,
        metadata=description.metadata(NAME),
        template_dir=str(_FOLDER / "templates"),
        static_mounts=[("style", str(_FOLDER / "static"))],
    )
    datasette.remove_database("_memory")  # Datasette adds it if no file is named
    registry = RegistryDatabase(datasette, path)
    datasette.add_database(registry, name=NAME)
    return datasette, registry


def serve(path: Path, listener: Listener) -> None:
    """Serve until SIGINT or SIGTERM."""
    datasette, registry = create_app(path)
    config = uvicorn.Config(
        _protect(datasette.app()),
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=0,
    )
    # Uvicorn raises the signal again after its shutdown, when nothing is left to stop.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        uvicorn.Server(config).run(sockets=[listener.socket])
    finally:
        datasette.executor.shutdown(wait=False, cancel_futures=True)
        registry.interrupt()  # the process ends only when its threads end


def _protect(app: Callable[..., Any]) -> Callable[..., Any]:
    """Add the Content-Security-Policy, and reject foreign Host headers to prevent DNS rebinding."""

    async def protected(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        async def send_with_policy(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY.encode())]
            await send(message)

        host = dict(scope.get("headers", ())).get(b"host", b"").decode("latin-1")
        if scope["type"] == "http" and host.partition(":")[0] not in _NAMES_OF_HOST:
            await Response.text("Use the address 127.0.0.1 or localhost.", status=403).asgi_send(send)
        else:
            await app(scope, receive, send_with_policy)

    return protected
