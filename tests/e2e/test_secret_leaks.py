"""Search all output, files and rows of the real command for the token and the password."""

import os
import re
import resource
import signal
import socketserver
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from etl.simulator import fault
from tests.support.databases import libpq, new_database
from tests.support.faults import at_request, paused_run
from tests.support.patience import patience
from tests.support.sync_env import TOKEN, SyncEnv, sync_env

PASSWORD = 'hush-hush/"p@ss\\ %ü'
SITECUSTOMIZE = "sitecustomize.py"
"""Python imports this module at startup, so tests use it to change libraries."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of every command, also for its temporary files."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def secret_url(dialect: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The URL of an empty database; on PostgreSQL, it contains a password."""
    if dialect == "sqlite":
        yield f"sqlite:///{folder / 'registry.db'}"
        return
    server = request.getfixturevalue("postgres_url")
    with temporary_role(server) as name, new_database(server) as url:
        execute(server, "ALTER DATABASE {} OWNER TO {}", str(make_url(url).database), name)
        yield make_url(url).set(username=name, password=PASSWORD).render_as_string(hide_password=False)


@contextmanager
def temporary_role(server: str) -> Iterator[str]:
    """Yield the name of a new role that can log in; drop the role afterwards."""
    name = f"role_{uuid4().hex}"
    execute(server, "CREATE ROLE {} LOGIN", name)
    try:
        yield name
    finally:
        execute(server, "DROP ROLE {}", name)


def execute(server: str, statement: str, *names: str) -> None:
    with psycopg.connect(libpq(server), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture
def env(secret_url: str) -> Iterator[SyncEnv]:
    with sync_env(secret_url) as env:
        yield env


def output_of(env: SyncEnv, *arguments: str, exit_code: int = 0) -> str:
    """Return the output and the debug log of a command."""
    done = env.ended(*arguments, "--log-level", "debug")
    assert done.code == exit_code, done.err
    return done.out + done.err


def output_of_new_interpreter(env: SyncEnv, *arguments: str, exit_code: int = 0) -> str:
    """Return the same for `sync` in a new interpreter, with this PYTHONPATH and umask."""
    process = env.start_interpreter(*arguments, "--log-level", "debug")
    out, err = process.communicate(timeout=patience())
    assert process.returncode == exit_code, err
    return out + err


def read_files(folder: Path) -> str:
    """Return the paths and the contents of all files below the folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != SITECUSTOMIZE]
    return "".join(f"{path} {path.read_bytes().decode('latin-1')}" for path in files)


def assert_no_secret(text: str) -> None:
    for secret in (TOKEN, PASSWORD, quote(PASSWORD, safe=""), "hush"):
        assert secret not in text


@pytest.mark.timeout(300)
def test_no_command_shows_or_stores_a_secret(env: SyncEnv, folder: Path) -> None:
    env.registry.put_raw("models", "odd", {"name": "no id"})
    output = [
        output_of(env, *command.split(), exit_code=code)
        for command, code in (
            ("db check", 2),
            ("db upgrade", 0),
            ("sync --dry-run", 3),
            ("sync --output json --log-format json", 3),
            ("check", 0),
            ("status", 0),
            ("rejected list", 0),
            ("rejected retry", 3),
        )
    ]
    assert_no_secret("".join(output) + read_files(folder) + str(env.dump()))


def test_a_killed_run_leaves_no_secret_in_its_arguments_or_files(env: SyncEnv, folder: Path) -> None:
    output_of(env, "db", "upgrade")
    with paused_run(env, "--log-level", "debug", new_interpreter=True) as (process, resume):
        proc = Path(f"/proc/{process.pid}")
        shown = (proc / "cmdline").read_text() + read_files(folder)
        children = [path.read_text() for path in proc.glob("task/*/children")]
        process.kill()
        resume()
        out, err = process.communicate(timeout=patience())
    assert children
    assert set(children) == {""}
    assert_no_secret(shown + out + err + read_files(folder) + str(env.dump()))


@pytest.fixture
def core_files_allowed() -> Iterator[None]:
    """Let processes write core files, as containers do, if the hard limit allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.usefixtures("core_files_allowed")
def test_a_crash_writes_no_core_file(env: SyncEnv, folder: Path) -> None:
    with paused_run(env, new_interpreter=True) as (process, _):
        limits = Path(f"/proc/{process.pid}/limits").read_text(encoding="ascii")
        process.send_signal(signal.SIGABRT)
        process.wait(patience())

    assert re.search(r"^Max core file size +0 ", limits, re.MULTILINE)
    assert process.returncode == -signal.SIGABRT
    assert list(folder.glob("core*")) == []  # it would contain the token


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_an_interrupted_run_in_development_mode_shows_no_secret(
    env: SyncEnv, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "always")
    for signal_number, code in ((signal.SIGINT, 130), (signal.SIGABRT, -signal.SIGABRT)):
        with paused_run(env, "--log-level", "debug", new_interpreter=True) as (process, resume):
            process.send_signal(signal_number)
            if signal_number == signal.SIGINT:  # on SIGABRT, the dump of all threads can crash if one runs
                resume()
            out, err = process.communicate(timeout=patience())
        assert process.returncode == code
        assert_no_secret(out + err + read_files(folder))


BUGS = {
    "crash": (
        "import httpx\n"
        "def stream(self, *_, **__):\n"
        "    try: raise ValueError(repr(dict(self.headers)).encode())\n"
        "    except ValueError as error:\n"
        "        error.add_note(str(dict(self.headers)))\n"
        "        raise RuntimeError('so') from error\n"
    ),
    "log line that cannot be made": (
        "import httpx, logging\n"
        "def stream(self, *_, **__):\n"
        "    logging.getLogger('bad').warning('%d headers', dict(self.headers))\n"
        "    raise RuntimeError('so')\n"
    ),
}


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("log_format", ["console", "json"])
@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_reported_without_secrets(
    bug: str, log_format: str, env: SyncEnv, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / SITECUSTOMIZE).write_text(f"{BUGS[bug]}httpx.Client.stream = stream\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    output = output_of_new_interpreter(env, "--log-format", log_format, exit_code=1)
    assert "this is a bug in tfy-etl, please report it" in output
    assert "RuntimeError" in output
    assert_no_secret(output + read_files(folder))


def test_debug_logs_of_libraries_show_no_secret(env: SyncEnv, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output_of(env, "db", "upgrade")
    loggers = ("httpcore.http11", "httpcore.connection", "sqlalchemy.engine", "sqlalchemy.pool", "psycopg")
    lines = ["import logging", *(f"logging.getLogger({name!r}).setLevel('DEBUG')" for name in loggers)]
    (folder / SITECUSTOMIZE).write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    env.registry.set_fields(env.registry.ids("ml-repos")[0], {"nobody_knows": f"a {TOKEN}"})
    output = output_of_new_interpreter(env)
    env.plane.faults = [fault(f"redirect:https://{TOKEN}.example/?token={TOKEN}")]
    output += output_of_new_interpreter(env, exit_code=2)
    assert "[httpcore.http11]" in output
    assert "[sqlalchemy.engine" in output
    assert "https://***.example/?token=***" in output
    assert_no_secret(output)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_demo_and_simulate_do_not_show_the_token_of_the_user(env: SyncEnv, folder: Path) -> None:
    output = output_of(env, "demo")
    process = env.start_interpreter("--port", "0", "--models", "1", command="simulate")
    assert process.stdout is not None
    output += process.stdout.readline()
    process.terminate()
    output += "".join(process.communicate(timeout=patience()))
    assert "set TFY_API_KEY there as here" in output
    assert_no_secret(output + read_files(folder))


class _PasswordEcho(socketserver.StreamRequestHandler):
    """A PostgreSQL server that asks for the password, and repeats it in an error."""

    def handle(self) -> None:
        (size,) = struct.unpack("!I", self.rfile.read(4))
        self.rfile.read(size - 4)
        self.wfile.write(b"R" + struct.pack("!II", 8, 3))
        (size,) = struct.unpack("!xI", self.rfile.read(5))
        message = b'Mpassword authentication failed: "' + self.rfile.read(size - 4).rstrip(b"\0") + b'" is wrong'
        fields = b"\0".join((b"SFATAL", b"C28P01", message, b"", b""))
        self.wfile.write(b"E" + struct.pack("!I", len(fields) + 4) + fields)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_a_password_that_the_database_server_repeats_is_redacted(env: SyncEnv) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _PasswordEcho) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        host, port = server.server_address[:2]
        env.url = f"postgresql://u:{quote(PASSWORD, safe='')}@{host!s}:{port}/db?sslmode=disable&gssencmode=disable"
        output = [output_of(env, command, exit_code=2) for command in ("sync", "check", "status")]
        server.shutdown()
    # `check` prints the fix as a separate sentence.
    assert all(re.search(r'"\*\*\*" is wrong(: c|\. C)heck user and password', each) for each in output)
    assert_no_secret("".join(output))


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_permissions_of_files_without_secrets_follow_the_umask(
    umask: int, mode: int, env: SyncEnv, folder: Path
) -> None:
    modes_during_run: dict[str, int] = {}
    at_request(env, "/ml-repos", 1, lambda: modes_during_run.update(_file_modes(folder)))
    previous_umask = os.umask(umask)
    try:
        output_of_new_interpreter(env)
    finally:
        os.umask(previous_umask)
    assert {"registry.db", "registry.db.lock"} <= modes_during_run.keys()
    assert {*modes_during_run.values(), *_file_modes(folder).values()} == {mode}


def _file_modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.glob("registry.db*")}
