"""Measures how time, memory, requests and database size grow with the registry, up to 1,000,000 versions.

Usage: `python -m bench.scaling [--versions N]… [--rounds 1] [--database NAME]…`.

For each size it runs a first load and a run with nothing new, on a fresh database, with the default page size.
Results are written to bench/results/scaling.json. The dataset of the largest size is 3 GB, which takes minutes.
"""

import argparse
from dataclasses import replace

from bench.databases import DATABASES
from bench.dataset import BASE, METRICS, VERSIONS
from bench.mock_server import running
from bench.runs import Benchmark, Result, environment_of, log, medians, write
from bench.tools import AGAIN, FIRST, OURS, sync
from etl.settings import Settings
from tests.support.databases import postgres_server

DEFAULT_PAGES = replace(OURS, command=sync(Settings().page_size))
SIZES = (1_000, 10_000, 100_000, 1_000_000)


def of_size(versions: int, server: str, args: argparse.Namespace) -> list[Result]:
    """Measure with this number of versions."""
    log(f"preparing {versions} versions")
    results = []
    with running(versions // VERSIONS, states=(BASE,)) as (plane, dataset):
        bench = Benchmark(plane=plane, dataset=dataset, server=server)
        for number in range(args.rounds):
            for database in args.database or DATABASES:
                for result in bench.runs(DEFAULT_PAGES, database, (FIRST, AGAIN)):
                    log(f"{versions} versions:", database, "·", result["run"], "·", f"{result['wall']:.1f} s")
                    results.append({"versions": versions, "round": number, **result})
    return results


def main() -> None:
    """Measure one size after the other, and write the results after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, action="append", help="sizes, instead of 10^3 to 10^6")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--database", action="append", choices=DATABASES)
    args = parser.parse_args()
    with postgres_server() as server:
        result = environment_of(server) | {
            "versions_each": VERSIONS, "metrics_each": METRICS, "page_size": Settings().page_size
        }  # fmt: skip
        measured: list[Result] = []
        for versions in args.versions or SIZES:
            measured += of_size(versions, server, args)
            summary = medians(measured, ("versions", "database", "run"))
            write("scaling.json", result, summary, measured)


if __name__ == "__main__":
    main()
