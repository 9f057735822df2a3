"""A whole Airflow on this machine, as many run it: its parts as processes of their own, metadata in PostgreSQL.

Each part listens on the loopback address alone, or on nothing; all end with the test, however that ends.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.support.databases import libpq
from tests.support.patience import patience

T = TypeVar("T")

BIN = Path(sys.executable).parent
_START_S = 120
_END_S = 30


class NeverHappened(Exception):
    """A wait timed out; the message ends with the last output of the processes."""


def free_port() -> int:
    """A free port of the loopback address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@dataclass
class Installation:
    """A running metadata database, API server and DAG processor; tests start schedulers and workers."""

    home: Path
    metadata_url: str
    connections: dict[str, dict[str, Any]]
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the environment of all processes."""
        (self.home / "dags").mkdir(parents=True)
        metadata = self.metadata_url
        self.environment = {
            "AIRFLOW_HOME": str(self.home),
            "PYTHONPATH": str(self.home),
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
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {"type": "file", "log_file_path": str(self.lineage), "append": True}
            ),
        } | {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in self.connections.items()}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def lineage(self) -> Path:
        """The file with OpenLineage's events."""
        return self.home / "lineage.jsonl"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Create the metadata database, and start the processes that every executor needs."""
        migrated = subprocess.run([BIN / "airflow", "db", "migrate"], env=self._env(), capture_output=True, check=False)
        assert migrated.returncode == 0, migrated.stderr.decode()
        with (
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

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The response of the REST API."""
        token = httpx.get(f"{self.url}/auth/token", timeout=patience()).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, f"{self.url}/api/v2/{path}", json=body, headers=headers, timeout=patience())
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run of a DAG, once Airflow has parsed it, and return its id."""
        self.until(lambda: dag_id in {each["dag_id"] for each in self.call("GET", "dags")["dags"]})
        body = {"logical_date": None, "conf": conf}
        return str(self.call("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def tasks(self, dag_id: str, run_id: str) -> dict[tuple[str, int], dict[str, Any]]:
        """The tasks of a run by name and index."""
        found = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=100")["task_instances"]
        return {(each["task_id"], each["map_index"]): each for each in found}

    def ended(self, dag_id: str, run_id: str) -> str:
        """Wait for the end of a run, and return its state."""

        def end() -> str | None:
            state = str(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])
            return state if state in {"success", "failed"} else None

        return self.until(end)

    def xcom(self, dag_id: str, run_id: str, task_id: str, index: int = -1) -> Any:
        """The result of a task."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value?map_index={index}"
        value = self.call("GET", path)["value"]
        return json.loads(value) if isinstance(value, str) else value

    def log(self, dag_id: str, run_id: str, task_id: str, index: int, attempt: int) -> str:
        """The log of a try of a task, as the UI shows it."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}?map_index={index}"
        return json.dumps(self.call("GET", path))

    def until(self, happened: Callable[[], T | None]) -> T:
        """Wait for a result; NeverHappened on a timeout, or if a process has died."""
        deadline = time.monotonic() + patience(_START_S)
        while True:
            if found := happened():
                return found
            dead = [process.args for process in self.processes if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                raise NeverHappened(f"Died: {dead}. The logs say:\n{self.said()}")
            time.sleep(0.3)

    def said(self, last: int = 4000) -> str:
        """The last output of each process."""
        logs = sorted(self.home.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-last:]}" for log in logs)

    def kept(self) -> bytes:
        """Everything that Airflow stores: its logs and its database."""
        dump = shutil.which("pg_dump") or next(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"), None)
        assert dump, "pg_dump is not there"
        database = subprocess.run([dump, libpq(self.metadata_url)], capture_output=True, check=True).stdout
        return database + b"".join(path.read_bytes() for path in self.home.rglob("*") if path.is_file())

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
