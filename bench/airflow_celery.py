"""Measures the DAG by Celery against one `tfy-etl sync`, each from the same registry into a separate PostgreSQL.

Usage: `python -m bench.airflow_celery [--ml-repos 100] [--models 1000] [--versions 1] [--workers 2]`, in an environment
with Airflow. Airflow keeps its metadata on another PostgreSQL. Each worker does one task at a time.

Each is run twice, for a first load and with nothing new. CPU times are those of the sync, or of all of Airflow's
processes. The CPU time of other programs on the machine is recorded too, because they make all runs slower. Results are
written to bench/results/airflow_celery.json.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from bench.databases import POSTGRESQL, Loaded, cpu_of, fresh
from bench.dataset import BASE, METRICS, expected
from bench.measure import Failed, measured
from bench.mock_server import TOKEN, Running, running
from bench.runs import OUR_PACKAGES, RESULTS, Result, environment_of, log
from bench.sessions import sampled
from bench.tools import AGAIN, FIRST, OUR_TABLES, sync
from etl.settings import Settings
from tests.support.airflow_installation import Installation, postgres_connection
from tests.support.databases import libpq, migrate, new_database, own_server, postgres_server

REPOS_PER_TASK = (None, 10)
"""The DAGs to measure; None is the default of `registry_dag`."""

_DAG = """
from etl.airflow.dags import registry_dag

{id} = registry_dag("{id}", database_conn_id="{id}", schedule=None{options})
"""
_SETTINGS = {"AIRFLOW__OPENLINEAGE__DISABLED": "True"}
_WITHIN_S = 2 * 60 * 60
_POLL_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The mock server, its dataset, the PostgreSQL server for the registries, and that for Airflow's metadata."""

    plane: Running
    dataset: Path
    server: str
    metadata_server: str

    @contextmanager
    def database(self) -> Iterator[Loaded]:
        """Yield a database with empty tables."""
        with tempfile.TemporaryDirectory() as unused, fresh(POSTGRESQL, Path(unused), self.server) as loaded:
            migrate(loaded.url)
            yield loaded

    def one_sync(self) -> Iterator[Result]:
        """Run `tfy-etl sync` over everything, twice."""
        command = sync(Settings().page_size)
        environment = {"TFY_HOST": self.plane.url, "TFY_API_KEY": TOKEN}
        with self.database() as loaded, tempfile.TemporaryDirectory(prefix="tfy-etl-bench-") as folder:
            for run in (FIRST, AGAIN):
                result: Result = {"how": "tfy-etl sync", "run": run}
                with self._measured_run(loaded, result):
                    at = [word.replace("{url}", loaded.url) for word in command]
                    measurement = measured(at, Path(folder), environment)
                yield result | {"wall": round(measurement.wall, 1), "cpu": round(measurement.cpu, 1)}

    def dags(self, workers: int) -> Iterator[Result]:
        """Run each DAG by Celery, twice."""
        with ExitStack() as stack:
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="tfy-etl-bench-airflow-"))
            metadata = stack.enter_context(new_database(self.metadata_server))
            databases = {f"repos_{size or 'default'}": stack.enter_context(self.database()) for size in REPOS_PER_TASK}
            connections = {name: postgres_connection(loaded.url) for name, loaded in databases.items()}
            connections["truefoundry_default"] = {
                "conn_type": "truefoundry", "host": self.plane.url, "password": TOKEN
            }  # fmt: skip
            airflow = Installation(Path(home) / "home", metadata, connections, _SETTINGS)
            for size, dag_id in zip(REPOS_PER_TASK, databases, strict=True):
                options = f", repos_per_task={size}" if size else ""
                file = airflow.home / "dags" / f"{dag_id}.py"
                file.write_text(_DAG.format(id=dag_id, options=options), encoding="utf-8")
            stack.enter_context(airflow.running())
            stack.enter_context(airflow.celery(*(f"worker-{number}" for number in range(workers))))
            airflow.until(lambda: airflow.call("GET", "dags")["total_entries"] == len(databases))
            for size, (dag_id, loaded) in zip(REPOS_PER_TASK, databases.items(), strict=True):
                for run in (FIRST, AGAIN):
                    yield self._dag_run(airflow, dag_id, loaded, {"how": "DAG", "repos_per_task": size, "run": run})

    def _dag_run(self, airflow: Installation, dag_id: str, loaded: Loaded, result: Result) -> Result:
        metadata = Loaded(libpq(airflow.metadata_url))
        with self._measured_run(loaded, result):
            before, server_before = _cpu_of_trees(airflow), metadata.server_cpu() or 0.0
            run_id = airflow.trigger(dag_id)
            state = airflow.wait_for_end(dag_id, run_id, within=_WITHIN_S, every=_POLL_S)
            cpu, server_cpu = _cpu_of_trees(airflow) - before, (metadata.server_cpu() or 0.0) - server_before
        if state != "success":
            raise Failed(f"The DAG run {dag_id} ended as {state}:\n{airflow.last_output()}")
        dag_run = airflow.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")
        started, ended = (datetime.fromisoformat(dag_run[name]) for name in ("queued_at", "end_date"))
        tasks = airflow.tasks(dag_id, run_id)
        seconds = {task: round(sum(each["duration"] for (name, _), each in tasks.items() if name == task), 1)
                   for task in ("list_ml_repos", "sync", "verify")}  # fmt: skip
        return result | {
            "wall": round((ended - started).total_seconds(), 1),
            "cpu": round(cpu, 1),
            "metadata_cpu": round(server_cpu, 1),
            "sync_tasks": sum(name == "sync" for name, _ in tasks),
            "task_seconds": seconds,
        }

    @contextmanager
    def _measured_run(self, loaded: Loaded, result: Result) -> Iterator[None]:
        """Measure the run in this context; then check that the database has all served records."""
        loaded.settle()
        self.plane.switch(state=BASE)
        load, busy, own = os.getloadavg()[0], _busy(), _cpu_of_tree(psutil.Process())
        server, started = loaded.server_cpu(), time.monotonic()
        with sampled(loaded.url) as sessions:
            yield
        served, after = self.plane.switch(), loaded.server_cpu()
        others = (_busy() - busy) - (_cpu_of_tree(psutil.Process()) - own)
        result |= {
            "server_cpu": None if server is None or after is None else round(after - server, 1),
            "requests": served.requests,
            "bytes": served.bytes,
            "most_connections": sessions.most_connections,
            "merging_s": round(sessions.merging_s, 2),
            "waiting_s": round(sessions.waiting_s, 2),
            "load_before": round(load, 2),
            "cpu_of_others_per_s": round(max(0.0, others) / (time.monotonic() - started), 2),
        }
        found, truth = loaded.found(OUR_TABLES), expected(self.dataset, BASE)
        if missing := {name: truth[name] - count for name, count in found.items() if count != truth[name]}:
            raise Failed(f"{result['how']} does not hold what was served: {missing} on {loaded.url}")


def _busy() -> float:
    """Return the CPU seconds of all programs on this machine so far."""
    used = psutil.cpu_times()
    return float(used.user + used.nice + used.system + used.irq + used.softirq)


def _cpu_of_tree(process: psutil.Process) -> float:
    return sum(map(cpu_of, [process, *process.children(recursive=True)]))


def _cpu_of_trees(airflow: Installation) -> float:
    return sum(_cpu_of_tree(psutil.Process(each.pid)) for each in airflow.processes)


def main() -> None:
    """Run the benchmark, and write the results after each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ml-repos", type=int, default=100)
    parser.add_argument("--models", type=int, default=1000, help="models of each ML repo")
    parser.add_argument("--versions", type=int, default=1, help="versions of each model")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS / "airflow_celery.json")
    args = parser.parse_args()
    shape = {"ml_repos": args.ml_repos, "versions": args.versions}
    with (
        running(args.ml_repos * args.models, states=(BASE,), **shape) as (plane, dataset),
        postgres_server() as server,
        own_server() as metadata_server,
    ):
        bench = Bench(plane=plane, dataset=dataset, server=server, metadata_server=metadata_server.url)
        result: dict[str, Any] = environment_of(server, (*OUR_PACKAGES, "apache-airflow", "celery")) | {
            "data": {"models_each": args.models, "versions_each": args.versions, "metrics_each": METRICS}
            | expected(dataset, BASE),
            "page_size": Settings().page_size,
            "workers": args.workers,
            "runs": [],
        }
        for runs in (bench.one_sync(), bench.dags(args.workers)):
            for each in runs:
                log(each)
                result["runs"].append(each)
                args.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
