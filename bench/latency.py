"""Measures the effect of concurrent requests when each answer has a latency.

Usage: `python -m bench.latency [--models 2000] [--page-size 100] [--latency MS]… [--rounds 3]`.

It runs first loads into SQLite at each latency: tfy-etl with a concurrency of 1 to 16, dlt, and the direct load.
The direct load requests a page after it has stored the one before. Results are written to bench/results/latency.json.
"""

import argparse

from bench.databases import SQLITE
from bench.dataset import BASE, METRICS, VERSIONS
from bench.mock_server import running
from bench.runs import Benchmark, Result, environment_of, log, medians, write
from bench.tools import DLT_TABLES, FIRST, OUR_TABLES, Tool, peer, sync, tfy_etl
from tests.support.databases import postgres_server

LATENCIES = (0, 50, 200)
CONCURRENCY = (1, 4, 8, 16)


def tools(page_size: int) -> dict[int, list[Tool]]:
    """Return the tools by their concurrency; those that fetch page by page come last."""
    upgrade = tfy_etl("db", "upgrade")
    size = ("--page-size", str(page_size))
    ours = {
        count: [
            Tool(
                name="tfy-etl",
                before=upgrade,
                command=sync(page_size, "--concurrency", str(count)),
                found=OUR_TABLES,
                ours=True,
            )
        ]
        for count in CONCURRENCY
    }
    paged = [
        Tool(name="dlt", command=peer("dlt_pipeline", "{url}", *size), found=DLT_TABLES),
        Tool(
            name="direct load, page by page",
            before=upgrade,
            command=peer("direct", "{url}", *size, "--concurrency", "1"),
            found=OUR_TABLES,
        ),
    ]
    return ours | {1: ours[1] + paged}


def main() -> None:
    """Run the benchmark, and write the results after each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=2000, help="number of models, with 5 versions each")
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--latency", type=int, action="append", help="milliseconds, instead of 0, 50 and 200")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with running(args.models, states=(BASE,)) as (plane, dataset), postgres_server() as server:
        bench = Benchmark(plane=plane, dataset=dataset, server=server)
        data = {"models": args.models, "versions_each": VERSIONS, "metrics_each": METRICS}
        result = environment_of(server) | {"data": data, "page_size": args.page_size}
        measured: list[Result] = []
        for number in range(args.rounds):
            for latency in args.latency or LATENCIES:
                plane.switch(latency=latency / 1000)
                measured += [{"round": number, "latency_ms": latency, **each} for each in loads(bench, args.page_size)]
            summary = medians(measured, ("latency_ms", "tool", "concurrency"))
            write("latency.json", result, summary, measured)


def loads(bench: Benchmark, page_size: int) -> list[Result]:
    """Run a first load with each tool."""
    results = []
    for concurrency, each in tools(page_size).items():
        for tool in each:
            for result in bench.runs(tool, SQLITE, (FIRST,)):
                log(tool.name, f"with {concurrency} under way:", f"{result['wall']:.1f} s")
                results.append({"concurrency": concurrency, **result})
    return results


if __name__ == "__main__":
    main()
