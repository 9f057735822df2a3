"""Compares tfy-etl with other tools and with two minimal loaders, by whole processes, on both databases.

Usage: `python -m bench.compare [--models 10000] [--rounds 5] [--only NAME]… [--database NAME]…`.

In each round every tool runs on a fresh database, one tool after the other; each round begins with another tool.
Ratios are computed within a round, and then their median, so that a slow phase of the machine affects both sides.
Results are written to bench/results/compare.json.
"""

import argparse
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from bench.databases import DATABASES
from bench.dataset import METRICS, STATES, VERSIONS, expected
from bench.mock_server import running, speeds
from bench.runs import Benchmark, Result, environment_of, log, medians, write
from bench.tools import OURS, PAGE_SIZE, RUNS, TOOLS, Tool
from tests.support.databases import postgres_server

_COMPARED = ("wall", "cpu", "peak_mb")


def rounds(bench: Benchmark, args: argparse.Namespace) -> Iterable[list[Result]]:
    """Yield the results of each round."""
    tools = [each for each in TOOLS if not args.only or each.name in args.only]
    for number in range(args.rounds):
        first = number % len(tools)
        order = tools[first:] + tools[:first]
        results = []
        for database in args.database or DATABASES:
            for tool in order:
                results += measurements(bench, tool, database, number)
        yield results


def measurements(bench: Benchmark, tool: Tool, database: str, number: int) -> list[Result]:
    """Run one tool in one round; return nothing if it does not support the database."""
    if database not in tool.databases:
        return []
    results = []
    for result in bench.runs(tool, database, RUNS):
        outcome = f"{result['wall']:.1f} s" if "wall" in result else f"failed: {result['error']}"
        log(f"round {number + 1}:", database, "·", tool.name, "·", result["run"], "·", outcome)
        results.append({"round": number, **result})
    return results


def summaries(measured: Sequence[Result]) -> list[Result]:
    """Return the medians of each tool, database and run, and their ratios to tfy-etl."""
    return [summary | ratios(measured, summary) for summary in medians(measured, ("database", "run", "tool"))]


def ratios(measured: Sequence[Result], summary: Result) -> Result:
    """Return the median ratio of each figure to that of tfy-etl in the same round."""
    theirs, ours = (
        {
            each["round"]: each
            for each in measured
            if (each["database"], each["run"], each["tool"]) == (summary["database"], summary["run"], name)
            and "error" not in each
        }
        for name in (summary["tool"], OURS.name)
    )
    pairs = [(theirs[number], ours[number]) for number in theirs.keys() & ours.keys()]
    if not pairs:
        return {}
    return {"ratios": {name: median(one[name] / other[name] for one, other in pairs) for name in _COMPARED}}


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10_000, help="number of models, with 5 versions each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=[each.name for each in TOOLS])
    parser.add_argument("--database", action="append", choices=DATABASES)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark, and write the results after each round."""
    args = options()
    log(f"preparing {args.models} models")
    with running(args.models) as (plane, dataset), postgres_server() as server:
        result: dict[str, Any] = environment_of(server) | {
            "data": {
                "models": args.models,
                "versions_each": VERSIONS,
                "metrics_each": METRICS,
                **{state: expected(dataset, state) for state in STATES},
            },
            "page_size": PAGE_SIZE,
            "plane": speeds(plane, args.models * VERSIONS),
        }
        measured: list[Result] = []
        for results in rounds(Benchmark(plane=plane, dataset=dataset, server=server), args):
            measured += results
            write("compare.json", result, summaries(measured), measured)


if __name__ == "__main__":
    main()
