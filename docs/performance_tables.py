"""The tables of docs/performance.md, and that of the README, from what the bench has measured (bench/results)."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

_RESULTS = Path(__file__).parents[1] / "bench" / "results"
_OURS = "tfy-etl"

Result = dict[str, Any]


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table in Markdown."""
    head = list(head)
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows))


def circumstances(name: str) -> str:
    """When, where and with what a bench was run."""
    told = _told(name)
    versions = ", ".join(f"{package} {version}" for package, version in told["versions"].items())
    settings = ", ".join(f"`{setting}={value}`" for setting, value in told["postgresql_settings"].items())
    rounds = max(each["rounds"] for each in told["summary"])
    return (
        f"Measured {told['at'][:10]}, {rounds} {'round' if rounds == 1 else 'rounds'}, {told['cores']} cores, "
        f"{told['machine']}; {versions}; PostgreSQL with {settings}."
    )


def data() -> str:
    """What was read in the comparison."""
    told = _told("compare")["data"]
    base, changed, deleted = told["base"], told["changed"], told["deleted"]
    return (
        f"{base['models']:,} models, {base['model_versions']:,} versions, {base['metrics']:,} metrics, "
        f"{base['tags']:,} tags, {base['packages']:,} packages. The change is {changed['edits told']} new descriptions "
        f"that move `updated_at` of version and model, and {changed['edits silent']} new tags that move nothing; then "
        f"{changed['models'] - deleted['models']} models are deleted with their versions."
    )


def plane() -> str:
    """How fast the server alone is."""
    rows = (
        (each["connections"], each["limit"], each["page_kb"], f"{each['pages_per_s']:,}", f"{each['mb_per_s']:,}")
        for each in _told("compare")["plane"]
    )
    return table(("connections", "records a page", "kB a page", "pages/s", "MB/s"), rows)


def comparison(run: str) -> str:
    """Every contender in one kind of run."""
    rows = [_compared(each) for each in _told("compare")["summary"] if each["run"] == run]
    head = (
        "database", "", "wall s", "least to most", "times as long", "CPU s", "CPU s of the server", "peak MB",
        "requests", "MB read", "rows in the database", "not as at the source",
    )  # fmt: skip
    return table(head, rows)


def in_short() -> str:
    """The ratios that matter: of two runs of the same round, and the median of the rounds."""
    walls: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    for each in _told("compare")["measured"]:  # in the order of the rounds
        walls[each["database"], each["run"], each["contender"]].append(each["wall"])
    databases = ("SQLite", "PostgreSQL")

    def ratio(database: str, above: tuple[str, str], below: tuple[str, str]) -> str:
        pairs = zip(walls[database, *above], walls[database, *below], strict=True)
        return f"{median(one / other for one, other in pairs):.2f}"

    rows = (
        (what, *(ratio(database, above, below) for database in databases))
        for what, above, below in (
            ("first load: dlt's time over ours", ("first load", "dlt"), ("first load", _OURS)),
            ("first load: ours over the plainest direct load's", ("first load", _OURS), ("first load", "direct load")),
            ("nothing new: dlt's over ours", ("nothing new", "dlt"), ("nothing new", _OURS)),
            ("nothing new: ours over fetch and parse", ("nothing new", _OURS), ("nothing new", "fetch and parse")),
            ("ours: 1 % changed over nothing new", ("1 % changed", _OURS), ("nothing new", _OURS)),
        )
    )
    return table(("", *databases), rows)


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
    """What a copy lacks or has too much of, in words."""
    return ", ".join(
        f"{abs(count)} {_IN_WORDS.get(name, name)} {'missing' if count > 0 else 'too many'}"
        for name, count in missing.items()
    )


_IN_WORDS = {"edits silent": "of the new tags", "edits told": "of the new descriptions"}


def ours() -> str:
    """What the main job takes, without the others."""
    rows = (
        (
            each["database"],
            each["run"],
            f"{each['wall']:.1f}",
            f"{each['cpu']:.1f}",
            f"{each['peak_mb']:.0f}",
            f"{each['requests']:.0f}",
        )
        for each in _told("compare")["summary"]
        if each["contender"] == _OURS
    )
    return table(("database", "run", "wall s", "CPU s", "peak MB", "requests"), rows)


def phases() -> str:
    """Seconds of a first load by part, now and before."""
    told = _told("phases")
    first, *_ = told.values()
    parts = list(first["SQLite"])
    rows = (
        (database, label, *(f"{measured[database][part]:.1f}" for part in parts))
        for database in ("SQLite", "PostgreSQL")
        for label, measured in told.items()
    )
    return table(("database", "", *parts), rows)


def curve() -> str:
    """How it grows with the registry."""
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
        for each in _told("curve")["summary"]
    )
    return table(("versions", "database", "run", "wall s", "CPU s", "peak MB", "requests", "database MB"), rows)


def startup() -> str:
    """What a start of each command costs."""
    told = _told("startup")
    rows = (
        (each["command"], each["modules"], f"{each['wall_ms']:.0f}", f"{each['over_python_ms']:.0f}")
        for each in told["commands"]
    )
    return table(("command", "modules", "ms", "ms over Python alone"), rows)


def latency() -> str:
    """Wall seconds by latency and requests under way."""
    told = _told("latency")["summary"]
    walls = {(each["contender"], each["concurrency"], each["latency_ms"]): f"{each['wall']:.1f}" for each in told}
    latencies = sorted({latency for _, _, latency in walls})
    lines = dict.fromkeys((name, concurrency) for name, concurrency, _ in walls)
    rows = ((*line, *(walls.get((*line, latency), "") for latency in latencies)) for line in sorted(lines, key=_order))
    return table(("", "requests under way", *(f"wall s at {latency} ms" for latency in latencies)), rows)


def latency_data() -> str:
    """What was read at each latency."""
    told = _told("latency")
    return (
        f"{told['data']['models']:,} models of {told['data']['versions_each']} versions, pages of {told['page_size']}"
    )


def _order(line: tuple[str, int]) -> tuple[bool, str, int]:
    return line[0] == _OURS, *line


def _told(name: str) -> Result:
    told: Result = json.loads((_RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return told
