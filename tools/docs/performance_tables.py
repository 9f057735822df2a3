"""Generate the tables of docs/performance.md and README.md from bench/results."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

_RESULTS = Path(__file__).parents[2] / "bench" / "results"
_OURS = "tfy-etl"

Result = dict[str, Any]


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    head = list(head)
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows))


def conditions(name: str) -> str:
    """Return when, where and with which versions a benchmark ran."""
    results = _load(name)
    versions = ", ".join(f"{package} {version}" for package, version in results["versions"].items())
    settings = ", ".join(f"`{setting}={value}`" for setting, value in results["postgresql_settings"].items())
    rounds = max(each["rounds"] for each in results["summary"])
    return (
        f"Measured {results['at'][:10]}, {rounds} {'round' if rounds == 1 else 'rounds'}, {results['cores']} cores, "
        f"{results['machine']}; {versions}; PostgreSQL with {settings}."
    )


def data() -> str:
    """Return the size of the data of the comparison."""
    results = _load("compare")["data"]
    base, changed, deleted = results["base"], results["changed"], results["deleted"]
    return (
        f"{base['models']:,} models, {base['model_versions']:,} versions, {base['metrics']:,} metrics, "
        f"{base['tags']:,} tags, {base['packages']:,} packages. The change is {changed['edits told']} new descriptions "
        f"that move `updated_at` of version and model, and {changed['edits silent']} new tags that move nothing; then "
        f"{changed['models'] - deleted['models']} models are deleted with their versions."
    )


def mock_server() -> str:
    """Return the throughput of the mock server alone."""
    rows = (
        (each["connections"], each["limit"], each["page_kb"], f"{each['pages_per_s']:,}", f"{each['mb_per_s']:,}")
        for each in _load("compare")["plane"]
    )
    return table(("connections", "records a page", "kB a page", "pages/s", "MB/s"), rows)


def comparison(run: str) -> str:
    """Return the results of every tool for one kind of run."""
    rows = [_compared(each) for each in _load("compare")["summary"] if each["run"] == run]
    head = (
        "database", "tool", "wall s", "wall s, range", "wall time, ratio", "CPU s", "CPU s of the server", "peak MB",
        "requests", "MB read", "rows in the database", "differences from the source",
    )  # fmt: skip
    return table(head, rows)


def summary() -> str:
    """Return the main ratios: the median over the rounds, each of two runs of the same round."""
    walls: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    for each in _load("compare")["measured"]:  # in the order of the rounds
        walls[each["database"], each["run"], each["contender"]].append(each["wall"])
    databases = ("SQLite", "PostgreSQL")

    def ratio(database: str, above: tuple[str, str], below: tuple[str, str]) -> str:
        pairs = zip(walls[database, *above], walls[database, *below], strict=True)
        return f"{median(one / other for one, other in pairs):.2f}"

    rows = (
        (label, *(ratio(database, above, below) for database in databases))
        for label, above, below in (
            ("first load: dlt / tfy-etl", ("first load", "dlt"), ("first load", _OURS)),
            ("first load: tfy-etl / direct load", ("first load", _OURS), ("first load", "direct load")),
            ("nothing new: dlt / tfy-etl", ("nothing new", "dlt"), ("nothing new", _OURS)),
            ("nothing new: tfy-etl / fetch and parse", ("nothing new", _OURS), ("nothing new", "fetch and parse")),
            ("tfy-etl: 1 % changed / nothing new", ("1 % changed", _OURS), ("nothing new", _OURS)),
        )
    )
    return table(("ratio of wall times", *databases), rows)


def _compared(each: Result) -> tuple[object, ...]:
    name = f"**{_OURS}**" if each["contender"] == _OURS else each["contender"]
    if "error" in each:
        return (each["database"], name, "failed", *[""] * 9)
    least, most = each["wall_range"]
    ratio = f"{each['ratios']['wall']:.2f}" if "ratios" in each else ""
    return (
        each["database"],
        name,
        f"{each['wall']:.1f}",
        f"{least:.1f} to {most:.1f}",
        ratio,
        f"{each['cpu']:.1f}",
        f"{each['server_cpu']:.1f}" if "server_cpu" in each else "",
        f"{each['peak_mb']:.0f}",
        f"{each['requests']:.0f}",
        f"{each['bytes'] / 1e6:.0f}",
        f"{each['rows']:,.0f}" if each["rows"] else "",
        _missing(each["missing"]),
    )


def _missing(missing: dict[str, int]) -> str:
    """Describe the missing and surplus rows of a copy."""
    return ", ".join(
        f"{abs(count)} {_IN_WORDS.get(name, name)} {'missing' if count > 0 else 'too many'}"
        for name, count in missing.items()
    )


_IN_WORDS = {"edits silent": "of the new tags", "edits told": "of the new descriptions"}


def sync_only() -> str:
    """Return the results of tfy-etl alone."""
    rows = (
        (
            each["database"],
            each["run"],
            f"{each['wall']:.1f}",
            f"{each['cpu']:.1f}",
            f"{each['peak_mb']:.0f}",
            f"{each['requests']:.0f}",
        )
        for each in _load("compare")["summary"]
        if each["contender"] == _OURS
    )
    return table(("database", "run", "wall s", "CPU s", "peak MB", "requests"), rows)


def phases() -> str:
    """Return the seconds of each phase of a first load, now and before."""
    results = _load("phases")
    first, *_ = results.values()
    parts = list(first["SQLite"])
    rows = (
        (database, label, *(f"{measured[database][part]:.1f}" for part in parts))
        for database in ("SQLite", "PostgreSQL")
        for label, measured in results.items()
    )
    return table(("database", "state", *parts), rows)


def scaling() -> str:
    """Return time and memory by the size of the registry."""
    rows = (
        (
            f"{each['versions']:,}",
            each["database"],
            each["run"],
            f"{each['wall']:.1f}",
            f"{each['cpu']:.1f}",
            f"{each['peak_mb']:.0f}",
            f"{each['requests']:,.0f}",
            f"{each['size_mb']:,.0f}",
        )
        for each in _load("curve")["summary"]
    )
    return table(("versions", "database", "run", "wall s", "CPU s", "peak MB", "requests", "database MB"), rows)


def startup() -> str:
    """Return the start-up time of each command."""
    results = _load("startup")
    rows = (
        (each["command"], each["modules"], f"{each['wall_ms']:.0f}", f"{each['over_python_ms']:.0f}")
        for each in results["commands"]
    )
    return table(("command", "modules", "ms", "ms more than Python alone"), rows)


def latency() -> str:
    """Return wall seconds by latency and number of parallel requests."""
    results = _load("latency")["summary"]
    walls = {(each["contender"], each["concurrency"], each["latency_ms"]): f"{each['wall']:.1f}" for each in results}
    latencies = sorted({latency for _, _, latency in walls})
    lines = dict.fromkeys((name, concurrency) for name, concurrency, _ in walls)
    rows = ((*line, *(walls.get((*line, latency), "") for latency in latencies)) for line in sorted(lines, key=_order))
    return table(("tool", "parallel requests", *(f"wall s at {latency} ms" for latency in latencies)), rows)


def latency_data() -> str:
    """Return the size of the data of the latency benchmark."""
    results = _load("latency")
    data = results["data"]
    return f"{data['models']:,} models of {data['versions_each']} versions, pages of {results['page_size']}"


def _order(line: tuple[str, int]) -> tuple[bool, str, int]:
    return line[0] == _OURS, *line


def _load(name: str) -> Result:
    results: Result = json.loads((_RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return results
