"""Run the command in a process of its own that is forked from one with its modules imported.

Imports take most of the time of a short command. Tests of what an interpreter does at its start and at its end (its
variables, a closed pipe) start it themselves.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import TimeoutExpired
from typing import NamedTuple, TextIO

from tests.support.patience import patience

_fork_server = multiprocessing.get_context("forkserver")
_fork_server.set_forkserver_preload(["tests.support.warm_command"])


class Done(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


class RunningCommand:
    """A command that runs, with those methods of `subprocess.Popen` that tests use."""

    def __init__(self, arguments: Sequence[str], *, cwd: str | Path = ".", env: Mapping[str, str]) -> None:
        """Start `tfy-etl` with the arguments and exactly these variables."""
        self.arguments = list(arguments)
        out, out_writer = _fork_server.Pipe(duplex=False)
        err, err_writer = _fork_server.Pipe(duplex=False)
        self._process = _fork_server.Process(
            target=_run, args=(self.arguments, dict(env), str(Path(cwd).absolute()), out_writer, err_writer)
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self._code: int | None = None
        self.stdout, self.stderr = _opened(out), _opened(err)
        for each in (out, out_writer, err, err_writer):
            each.close()

    @property
    def returncode(self) -> int:
        """The exit code; negative after a signal. Fails if the process still runs."""
        code = self.poll()
        assert code is not None
        return code

    def poll(self) -> int | None:
        """Return the exit code, or None if the process still runs."""
        if self._code is None and (code := self._process.exitcode) is not None:
            self._code = code
            self._process.close()
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and return the exit code. Raises TimeoutExpired."""
        if self.poll() is None:
            self._process.join(timeout)
        if self.poll() is None:
            raise TimeoutExpired(self.arguments, timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end, and return what is left of stdout and stderr. Raises TimeoutExpired."""
        readers = ThreadPoolExecutor(max_workers=2)
        try:
            found = [readers.submit(_rest, stream) for stream in (self.stdout, self.stderr)]
            out, err = (each.result(timeout) for each in found)
        except TimeoutError as error:
            raise TimeoutExpired(self.arguments, timeout or 0) from error
        finally:
            readers.shutdown(wait=False)
        self.wait(timeout)
        self.close()
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal to the process if it still runs. Other threads may call this."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL to the process if it still runs."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Close the pipes."""
        self.stdout.close()
        self.stderr.close()


def run_preloaded(
    arguments: Sequence[str], *, cwd: str | Path = ".", env: Mapping[str, str], timeout: float = 60
) -> Done:
    """Run `tfy-etl` with the arguments and exactly these variables. Raises TimeoutExpired."""
    command = RunningCommand(arguments, cwd=cwd, env=env)
    try:
        out, err = command.communicate(patience(timeout))
    except TimeoutExpired:
        command.kill()
        command.communicate()
        raise
    return Done(command.returncode, out, err)


def _rest(stream: TextIO) -> str:
    return "" if stream.closed else stream.read()


def _opened(reader: Connection) -> TextIO:
    return os.fdopen(os.dup(reader.fileno()), encoding="utf-8")


def _run(arguments: list[str], env: dict[str, str], cwd: str, out: Connection, err: Connection) -> None:
    """Become the command: with its own variables, folder, arguments and standard streams."""
    for number, pipe in enumerate((out, err), start=1):
        os.dup2(pipe.fileno(), number)
        pipe.close()
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
