"""Run the command in a process of its own that is forked from one with its modules imported.

Imports take most of the time of a short command. Tests of what an interpreter does at its start and at its end (its
variables, a closed pipe, signals) start it themselves.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import TimeoutExpired
from typing import NamedTuple

from tests.support.patience import patience

_fork_server = multiprocessing.get_context("forkserver")
_fork_server.set_forkserver_preload(
    [
        *("etl.cli", "etl.cli.sync", "etl.cli.status", "etl.store", "etl.store.dialects.postgresql", "sqlalchemy.orm"),
        *("alembic.command", "encodings.idna", "psycopg"),
    ]
)


class Done(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


def run_preloaded(
    arguments: Sequence[str], *, cwd: str | Path = ".", env: Mapping[str, str], timeout: float = 60
) -> Done:
    """Run `tfy-etl` with the arguments and exactly these variables. Raises TimeoutExpired."""
    seconds = patience(timeout)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        out.touch()
        err.touch()
        process = _fork_server.Process(
            target=_run, args=(list(arguments), dict(env), str(Path(cwd).absolute()), out, err)
        )
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired(list(arguments), seconds, out.read_bytes(), err.read_bytes())
        code = process.exitcode
        process.close()
        return Done(code, out.read_text("utf-8"), err.read_text("utf-8"))


def _run(arguments: list[str], env: dict[str, str], cwd: str, out: Path, err: Path) -> None:
    """Become the command: with its own variables, folder, arguments and standard streams."""
    for number, path in enumerate((out, err), start=1):
        opened = os.open(path, os.O_WRONLY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 open until this process ends
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["tfy-etl", *arguments]

    from etl.cli import main  # only here: other tests must not import it

    try:
        main()
    except Exception:  # noqa: BLE001 as the interpreter does at its end
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
