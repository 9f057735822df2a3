"""Generate the tables of docs/explanation/performance.md and README.md from bench/results."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

_RESULTS = Path(__file__).parents[2] / "bench" / "results"
_OURS = "tfy-etl"
_EXPECTED = (1_000, 50_000, 1_000_000)
"""Numbers of versions."""

Result = dict[str, Any]


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    head = list(head)
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows))


def environment_of(name: str) -> str:
    """When, where and with what a bench was run."""
    result = load_result(name)
    versions = ", ".join(f"{package} {version}" for package, version in result["versions"].items())
    settings = ", ".join(f"`{setting}={value}`" for setting, value in result["postgresql_settings"].items())
    rounds = max(each.get("rounds", 1) for each in result.get("summary", [{}]))
    return (
        f"Measured {result['at'][:10]}, {rounds} {'round' if rounds == 1 else 'rounds'}, {result['cores']} cores, "
        f"{result['machine']}; {versions}; PostgreSQL with {settings}."
    )


def data() -> str:
    """What was read in the comparison."""
    result = load_result("compare")["data"]
    base, changed, deleted = result["base"], result["changed"], result["deleted"]
    return (
        f"{base['models']:,} models, {base['model_versions']:,} versions, {base['metrics']:,} metrics, "
        f"{base['tags']:,} tags, {base['packages']:,} packages. "
        f"The change adds {changed['edited descriptions']} descriptions, which update `updated_at`, "
        f"and {changed['edited tags']} tags, which do not. Then it deletes "
        f"{changed['models'] - deleted['models']} models with their versions."
    )


def mock_server() -> str:
    """Return the throughput of the mock server alone."""
    rows = (
        (each["connections"], each["limit"], each["page_kb"], f"{each['pages_per_s']:,}", f"{each['mb_per_s']:,}")
        for each in load_result("compare")["plane"]
    )
    return table(("connections", "records a page", "kB a page", "pages/s", "MB/s"), rows)


def comparison(run: str) -> str:
    """Every tool in one kind of run, and the differences of its copy from the source."""
    results = [each for each in load_result("compare")["summary"] if each["run"] == run]
    head = (
        "database", "tool", "wall s", "range", "ratio", "CPU s", "server CPU s", "peak MB", "requests", "MB read",
        "rows",
    )  # fmt: skip
    compared = table(head, map(_compared, results))
    different = "\n".join(_differences(each) for each in results if each.get("missing"))
    return f"{compared}\n\nDifferences from the source:\n\n{different}" if different else compared


def summary() -> str:
    """Return the main ratios: the median over the rounds, each of two runs of the same round."""
    walls: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    for each in load_result("compare")["measured"]:  # in the order of the rounds
        walls[each["database"], each["run"], each["tool"]].append(each["wall"])
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


def views() -> str:
    """Return the seconds that each view and each shipped query takes, for all rows and for those of one model."""
    results = load_result("view_times")["times"]
    found = {(each["name"], each["database"], each["versions"]): each for each in results}
    columns = sorted(
        {(database, versions) for _, database, versions in found}, key=lambda each: (each[1], each[0] != "SQLite")
    )
    head = ("view or query", *(f"{database}, {versions:,} versions" for database, versions in columns))
    names = dict.fromkeys(each["name"] for each in results)
    return table(
        head, ((f"`{name}`", *(_view_times(found.get((name, *column), {})) for column in columns)) for name in names)
    )


def _view_times(each: Result) -> str:
    if "error" in each:
        return "stopped"
    shown = [each[name] for name in ("seconds", "one_model") if name in each]
    return " / ".join(f"{float(f'{seconds:.2g}'):g}" for seconds in shown)


def _compared(each: Result) -> tuple[object, ...]:
    name = f"**{_OURS}**" if each["tool"] == _OURS else each["tool"]
    if "error" in each:
        return (each["database"], name, "failed", *[""] * 8)
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
    )


def _differences(each: Result) -> str:
    """List the missing and surplus rows of a copy."""
    names = {"edited tags": "new tags", "edited descriptions": "new descriptions", "model_versions": "versions"}
    rows = ", ".join(
        f"{abs(count):,} {names.get(name, name)} {'missing' if count > 0 else 'too many'}"
        for name, count in each["missing"].items()
    )
    return f"- {each['tool']} on {each['database']}: {rows}."


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
        for each in load_result("compare")["summary"]
        if each["tool"] == _OURS
    )
    return table(("database", "run", "wall s", "CPU s", "peak MB", "requests"), rows)


def peers() -> str:
    """Compare tfy-etl with the other tools in a few words and figures; bench/peers has their setups."""
    results = {(each["database"], each["run"], each["tool"]): each for each in load_result("compare")["summary"]}

    def figures(run: str, tool: str, figure: str, form: str) -> str:
        found = (results.get((database, run, tool)) for database in ("SQLite", "PostgreSQL"))
        return " / ".join("–" if each is None else format(each[figure], form) for each in found)

    measured = (
        (
            f"{label}: SQLite / PostgreSQL",
            *(figures(run, tool, figure, form) for tool in (_OURS, "dlt")),
            "not measured",
            figures(run, "Singer", figure, form),
            figures(run, "direct load", figure, form),
        )
        for label, run, figure, form in (
            ("first load, s", "first load", "wall", ".1f"),
            ("nothing new, s", "nothing new", "wall", ".1f"),
            ("peak memory, MB", "first load", "peak_mb", ".0f"),
        )
    )
    return table(("", f"**{_OURS}**", "dlt", "Airbyte", "Singer", "minimal script"), (*_QUALITIES, *measured))


_QUALITIES = (
    ("data and cursor in one commit", "yes", "no", "no", "no", "your code"),
    ("rows that move during the read", "found again", "lost", "lost", "lost", "your code"),
    ("deletes at the source", "soft, after a proof", "not seen", "–", "not seen", "your code"),
    ("edits that leave `updated_at` unchanged", "found within a day", "not seen", "–", "not seen", "your code"),
    ("history", "each field", "not in this setup", "–", "not in this setup", "your code"),
    ("records that databases refuse", "kept in full", "a NaN aborts", "a NaN is NULL", "a NaN aborts", "your code"),
)


def phases() -> str:
    """Seconds of a first load by part, now and before."""
    result = load_result("phases")
    first, *_ = result.values()
    parts = list(first["SQLite"])
    rows = (
        (database, label, *(f"{measured[database][part]:.1f}" for part in parts))
        for database in ("SQLite", "PostgreSQL")
        for label, measured in result.items()
    )
    return table(("database", "state", *parts), rows)


def scaling() -> str:
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
        for each in load_result("scaling")["summary"]
    )
    return table(("versions", "database", "run", "wall s", "CPU s", "peak MB", "requests", "database MB"), rows)


def expected() -> str:
    """Return the times to expect at three sizes, from both benches."""
    compare = load_result("compare")
    ours = [each for each in compare["summary"] if each["tool"] == _OURS]
    results = [{"versions": compare["data"]["base"]["model_versions"], **each} for each in ours]
    results += load_result("scaling")["summary"]
    found = {(each["versions"], each["database"], each["run"]): each for each in results}
    runs = [(database, run) for database in ("SQLite", "PostgreSQL") for run in ("first load", "nothing new")]
    rows = []
    for versions in _EXPECTED:
        measured = [found.get((versions, *run)) for run in runs]
        walls = (f"{each['wall']:.1f}" if each else "not measured" for each in measured)
        rows.append((f"{versions:,}", *walls, f"{max(each['peak_mb'] for each in measured if each):.0f}"))
    head = (f"{database}, {run}, s" for database, run in runs)
    return table(("versions", *head, "peak memory, MB"), rows)


def startup() -> str:
    """What a start of each command costs."""
    result = load_result("startup")
    rows = (
        (each["command"], each["modules"], f"{each['wall_ms']:.0f}", f"{each['over_python_ms']:.0f}")
        for each in result["commands"]
    )
    return table(("command", "modules", "ms", "more than Python"), rows)


def latency() -> str:
    """Wall seconds by latency and requests under way."""
    result = load_result("latency")["summary"]
    walls = {(each["tool"], each["concurrency"], each["latency_ms"]): f"{each['wall']:.1f}" for each in result}
    latencies = sorted({latency for _, _, latency in walls})
    lines = dict.fromkeys((name, concurrency) for name, concurrency, _ in walls)
    rows = ((*line, *(walls.get((*line, latency), "") for latency in latencies)) for line in sorted(lines, key=_order))
    return table(("tool", "parallel requests", *(f"wall s at {latency} ms" for latency in latencies)), rows)


def latency_data() -> str:
    """What was read at each latency."""
    result = load_result("latency")
    data = result["data"]
    return f"{data['models']:,} models of {data['versions_each']} versions, pages of {result['page_size']}"


def _order(line: tuple[str, int]) -> tuple[bool, str, int]:
    return line[0] == _OURS, *line


def load_result(name: str) -> Result:
    """Return a file of bench/results."""
    result: Result = json.loads((_RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return result
