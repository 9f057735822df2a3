"""A whole Airflow on this machine, as many run it: its parts as processes of their own, metadata in PostgreSQL.

Each part listens on the loopback address alone, or on nothing; all end with the test, however that ends. The benchmarks
import this module too, without pytest.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
from sqlalchemy import make_url

from tests.support.databases import libpq, server_program
from tests.support.patience import patience

T = TypeVar("T")

BIN = Path(sys.executable).parent
_WAIT_S = 300
_END_S = 30
_POLL_S = 0.3
_PAGE = 100
_WORKER_NAME = "import os\n\ndef name():\n    return os.environ['WORKER']\n"

# Airflow's own limits for a machine that is not busy, in seconds.
_TIMEOUTS_S = {
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": 30,
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": 50,
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": 5,
}


class WaitFailed(Exception):
    """A wait timed out; the message ends with the last output of the processes."""


def reserve_port() -> socket.socket:
    """A loopback port that the system gives to no other process until the socket is closed.

    The socket does not listen, so a server that sets SO_REUSEADDR too can.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


@dataclass
class Installation:
    """A running metadata database, API server and DAG processor; tests start schedulers and workers."""

    home: Path
    metadata_url: str
    connections: dict[str, dict[str, Any]]
    settings: dict[str, str] = field(default_factory=dict)
    reserved: socket.socket = field(default_factory=reserve_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the environment of all processes."""
        (self.home / "dags").mkdir(parents=True)
        (self.home / "worker_name.py").write_text(_WORKER_NAME, encoding="utf-8")
        metadata = self.metadata_url
        self.environment = {name: str(round(patience(4 * seconds))) for name, seconds in _TIMEOUTS_S.items()} | {
            "AIRFLOW_HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(self.home), os.environ.get("PYTHONPATH")))),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": metadata,
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        }
        self.environment |= {f"AIRFLOW_CONN_{name.upper()}": json.dumps(it) for name, it in self.connections.items()}
        self.environment |= self.settings

    @property
    def port(self) -> int:
        return int(self.reserved.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Create the metadata database, and start the processes that every executor needs."""
        migrated = subprocess.run([BIN / "airflow", "db", "migrate"], env=self._env(), capture_output=True, check=False)
        assert migrated.returncode == 0, migrated.stderr.decode()
        with (
            self.reserved,
            self.part("api-server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"),
            self.part("dag-processor"),
        ):
            self.until(self._answers)
            yield

    @contextmanager
    def part(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a process of Airflow, with its output in a file."""
        with (self.home / f"{'-'.join(arguments[:2]).strip('-')}.log").open("ab") as log:
            process = subprocess.Popen(
                [BIN / "airflow", *arguments],
                env=self._env() | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                start_new_session=True,  # its child processes must end with it
            )
        self.processes.append(process)
        try:
            yield process
        finally:
            self.processes.remove(process)
            end(process)

    def scheduler(self, executor: str, **environment: str) -> Any:
        """Run a scheduler with this executor."""
        return self.part("scheduler", "--skip-serve-logs", AIRFLOW__CORE__EXECUTOR=executor, **environment)

    @contextmanager
    def celery(self, *workers: str) -> Iterator[None]:
        """Run Redis, a scheduler that sends tasks to it, and workers of these names with one task at a time.

        It returns once all workers accept tasks; otherwise the first could take them all.
        """
        with redis() as broker, ExitStack() as stack:
            variables = {
                "AIRFLOW__CELERY__BROKER_URL": broker,
                "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self.metadata_url}",
                "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
                "AIRFLOW__CORE__HOSTNAME_CALLABLE": "worker_name.name",
            }
            stack.enter_context(self.scheduler("CeleryExecutor", WORKER="scheduler", **variables))
            variables |= {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", "C_FORCE_ROOT": "1"}
            options = ("--skip-serve-logs", "--concurrency", "1", "--celery-hostname")
            for name in workers:
                stack.enter_context(self.part("celery", "worker", *options, f"{name}@here", WORKER=name, **variables))
            log = self.home / "celery-worker.log"
            self.until(lambda: all(f"{name}@here ready" in log.read_text(errors="replace") for name in workers))
            yield

    @cached_property
    def _headers(self) -> dict[str, str]:
        token = httpx.get(f"{self.url}/auth/token", timeout=patience(_WAIT_S)).json()["access_token"]
        return {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The response of the REST API."""
        url = f"{self.url}/api/v2/{path}"
        answer = httpx.request(method, url, json=body, headers=self._headers, timeout=patience(_WAIT_S))
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run of a DAG, once Airflow has parsed it, and return its id."""
        self.until(lambda: dag_id in {each["dag_id"] for each in self.call("GET", "dags")["dags"]})
        body = {"logical_date": None, "conf": conf}
        return str(self.call("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def tasks(self, dag_id: str, run_id: str) -> dict[tuple[str, int], dict[str, Any]]:
        """The tasks of a run by name and index."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit={_PAGE}&offset="
        found: list[dict[str, Any]] = []
        while page := self.call("GET", f"{path}{len(found)}")["task_instances"]:
            found += page
        return {(each["task_id"], each["map_index"]): each for each in found}

    def wait_for_end(self, dag_id: str, run_id: str, *, within: float = _WAIT_S, every: float = _POLL_S) -> str:
        """Wait for the end of a run, and return its state."""

        def end() -> str | None:
            state = str(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])
            return state if state in {"success", "failed"} else None

        return self.until(end, within=within, every=every)

    def xcom(self, dag_id: str, run_id: str, task_id: str, index: int = -1) -> Any:
        """The result of a task."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value?map_index={index}"
        value = self.call("GET", path)["value"]
        return json.loads(value) if isinstance(value, str) else value

    def log(self, dag_id: str, run_id: str, task_id: str, index: int, attempt: int) -> str:
        """The log of a try of a task, as the UI shows it."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}?map_index={index}"
        return json.dumps(self.call("GET", path))

    def until(self, condition: Callable[[], T | None], *, within: float = _WAIT_S, every: float = _POLL_S) -> T:
        """Wait for a result; NeverHappened on a timeout, or if a process has died."""
        deadline = time.monotonic() + patience(within)
        while True:
            if found := condition():
                return found
            dead = [process.args for process in self.processes if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                raise WaitFailed(f"Died: {dead}. The logs say:\n{self.last_output()}")
            time.sleep(every)

    def last_output(self, last: int = 4000) -> str:
        """The last output of each process."""
        logs = sorted(self.home.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-last:]}" for log in logs)

    def stored_content(self) -> bytes:
        """Everything that Airflow stores: its logs and its database."""
        dump = [str(server_program("pg_dump")), libpq(self.metadata_url)]
        contents = [subprocess.run(dump, capture_output=True, check=True).stdout]
        for path in self.home.rglob("*"):
            with suppress(FileNotFoundError):  # the processes still run, and remove temporary files
                contents += [path.read_bytes()] if path.is_file() else []
        return b"".join(contents)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/v2/monitor/health", timeout=patience(30)).is_success
        except httpx.TransportError:
            return False

    def _env(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return inherited | self.environment


def end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process, then kill its whole process group."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience(_END_S))
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def redis() -> Iterator[str]:
    """The URL of a Redis without persistence, on a Unix socket."""
    server = shutil.which("redis-server")
    assert server, "redis-server is missing: apt-get install redis-server"
    with tempfile.TemporaryDirectory(prefix="tfy-etl-redis-") as folder:
        path = Path(folder) / "socket"
        options = ("--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder)
        process = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            yield f"redis+socket://{path}?virtual_host=0"
        finally:
            end(process)


def postgres_connection(url: str) -> dict[str, Any]:
    """The fields of a connection to the database of a URL with a Unix socket."""
    parts = make_url(url)
    return {
        "conn_type": "postgres",
        "host": parts.query.get("host") or parts.host,
        "port": int(str(parts.query.get("port") or parts.port or 5432)),
        "login": parts.username,
        "password": parts.password,
        "schema": parts.database,
    }
