"""The project, its peers and the floors, by whole processes, on SQLite and on PostgreSQL.

    python -m bench.compare [--models 10000] [--rounds 5] [--only NAME]… [--database NAME]…

In each round every contender gets a fresh database and makes its runs there, one contender after the other, each round
beginning with another one. Ratios are taken within a round and then the median of them, so that a machine which is slow
for a while is slow for both sides. Results go to bench/results/compare.json.
"""

import argparse
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from bench.contenders import CONTENDERS, OURS, PAGE_SIZE, RUNS, Contender
from bench.databases import DATABASES
from bench.plane import running, speeds
from bench.runs import Bench, Result, circumstances, medians, tell, write
from bench.shelf import METRICS, STATES, VERSIONS, expected
from tests.databases import postgres_server

_COMPARED = ("wall", "cpu", "peak_mb")


def rounds(bench: Bench, asked: argparse.Namespace) -> Iterable[list[Result]]:
    """What was measured, round by round."""
    contenders = [each for each in CONTENDERS if not asked.only or each.name in asked.only]
    for number in range(asked.rounds):
        first = number % len(contenders)
        order = contenders[first:] + contenders[:first]
        results = []
        for database in asked.database or DATABASES:
            for contender in order:
                results += measurements(bench, contender, database, number)
        yield results


def measurements(bench: Bench, contender: Contender, database: str, number: int) -> list[Result]:
    """The runs of one contender in one round; none where it does not know the database."""
    if database not in contender.databases:
        return []
    results = []
    for result in bench.runs(contender, database, RUNS):
        told = f"{result['wall']:.1f} s" if "wall" in result else f"failed: {result['error']}"
        tell(f"round {number + 1}:", database, "·", contender.name, "·", result["run"], "·", told)
        results.append({"round": number, **result})
    return results


def summaries(measured: Sequence[Result]) -> list[Result]:
    """The medians of each contender on each database in each run, and its ratios to this project."""
    return [summary | ratios(measured, summary) for summary in medians(measured, ("database", "run", "contender"))]


def ratios(measured: Sequence[Result], summary: Result) -> Result:
    """How many times as much as our own run in the same round each figure was, in the median."""
    theirs, ours = (
        {
            each["round"]: each
            for each in measured
            if (each["database"], each["run"], each["contender"]) == (summary["database"], summary["run"], name)
            and "error" not in each
        }
        for name in (summary["contender"], OURS.name)
    )
    pairs = [(theirs[number], ours[number]) for number in theirs.keys() & ours.keys()]
    if not pairs:
        return {}
    return {"ratios": {name: median(one[name] / other[name] for one, other in pairs) for name in _COMPARED}}


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10_000, help="models, of 5 versions each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=[each.name for each in CONTENDERS])
    parser.add_argument("--database", action="append", choices=DATABASES)
    return parser.parse_args()


def main() -> None:
    """Measure, and keep the results after each round."""
    asked = options()
    tell(f"preparing {asked.models} models")
    with running(asked.models) as (plane, shelf), postgres_server() as server:
        result: dict[str, Any] = circumstances(server) | {
            "data": {
                "models": asked.models,
                "versions_each": VERSIONS,
                "metrics_each": METRICS,
                **{state: expected(shelf, state) for state in STATES},
            },
            "page_size": PAGE_SIZE,
            "plane": speeds(plane, asked.models * VERSIONS),
        }
        measured: list[Result] = []
        for results in rounds(Bench(plane=plane, shelf=shelf, server=server), asked):
            measured += results
            write("compare.json", result, summaries(measured), measured)


if __name__ == "__main__":
    main()
