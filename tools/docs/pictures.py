"""Make every picture of README.md and docs, and the output that README.md shows: `make pictures`.

Each shows a real run of the command against a simulated control plane. The registry has a history, whose runs are moved
into the past. Chromium takes the pictures.
"""

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from rich.terminal_theme import TerminalTheme
from terminal import DARK, LIGHT, as_html, prompt, record

from etl.simulator import MODELS
from tests.e2e.report.sample import grown_registry, move_back, with_history
from tests.support.browser import chromium
from tests.support.sync_env import TOKEN, SyncEnv, sync_env

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
COMMAND = Path(sys.executable).with_name("tfy-etl")

MAX_BYTES = 300_000
_MANY = 1000  # records of a list whose bar is worth a picture
COLUMNS = 82
COMMANDS = ("tfy-etl changes --since 7d", "tfy-etl report --out report.html")
"""The commands after `sync` in the picture of the README."""
THEMES: Mapping[str, TerminalTheme] = {"light": LIGHT, "dark": DARK}
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
HERO = {"width": 1280, "height": 620}


class Report(NamedTuple):
    """A picture of the report, from a section on."""

    name: str
    section: str
    scheme: str
    viewport: Mapping[str, int]


REPORTS = (
    Report("report-desktop-header", "header", "light", DESKTOP),
    Report("report-desktop-activity", "#activity", "light", DESKTOP),
    Report("report-desktop-growth", "#growth", "light", DESKTOP),
    Report("report-desktop-metrics", "#metrics", "light", DESKTOP),
    Report("report-dark-header", "header", "dark", DESKTOP),
    Report("report-dark-growth", "#growth", "dark", DESKTOP),
    Report("report-phone-header", "header", "light", PHONE),
    Report("report-phone-attention", "#attention", "light", PHONE),
)


def main() -> None:
    """Make all pictures and all output."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        write_demo(folder)
        database = folder / "tfy-registry.db"
        with sync_env(f"sqlite:///{database}", grown_registry()) as env:
            sync_screen = final_sync(env, folder)
        screens = [("tfy-etl sync", sync_screen)]
        screens += [(command, run_on_terminal(command, folder)) for command in COMMANDS]
        for report in REPORTS:
            take_report(browser, folder / "report.html", report)
        for scheme, theme in THEMES.items():
            take_hero(browser, scheme, theme, screens)
        take_progress(browser, folder)
        take_explore(browser, folder)
        write_answer(database)
    check_sizes()


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """The environment of a command, without settings of this process."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), **settings}


def write_demo(folder: Path) -> None:
    """Write the output of `tfy-etl demo`."""
    done = subprocess.run([COMMAND, "demo"], cwd=folder, env=environment(folder), capture_output=True, check=True)
    output = done.stdout.decode().replace(str(COMMAND), ".venv/bin/tfy-etl")  # as `make demo` prints it
    lines = (line.rstrip() for line in output.splitlines())
    (FOLDER / "demo.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def final_sync(env: SyncEnv, folder: Path) -> str:
    """Give the registry a history, sync its last changes on a terminal, and return the screen."""
    with_history(env)
    move_back(env, timedelta(days=12))
    env.execute(f"UPDATE sync_runs SET host = '{env.plane.url}'")  # noqa: S608 our own URL
    models = [each for each in env.registry.records(MODELS) if each["latest_version"]]
    for model in models[20:22]:
        before = env.registry.get("model-versions", model["latest_version"]["id"])["metrics"]
        version = env.registry.add_version(model["id"])
        better = [each | {"value": round(each["value"] * 1.01, 4)} for each in before]
        env.registry.set_fields(version, {"metrics": better, "tags": ["prod"]})
    env.registry.delete_model(models[5]["id"])
    env.registry.set_description(models[6]["latest_version"]["id"], "Retrained on last month's data.")
    settings = environment(folder, TFY_HOST=env.plane.url, TFY_API_KEY=TOKEN)
    *_, screen = record([str(COMMAND), "sync"], columns=COLUMNS, environment=settings, cwd=folder)
    env.execute("UPDATE sync_runs SET host = 'https://acme.example'")
    return screen


def run_on_terminal(command: str, folder: Path) -> str:
    """Run a command on a terminal, and return the screen."""
    words = [str(COMMAND), *command.split()[1:]]
    *_, screen = record(words, columns=COLUMNS, environment=environment(folder), cwd=folder)
    return screen


@contextmanager
def page_of(browser: Any, viewport: Mapping[str, int], scheme: str = "light", scale: float = 1) -> Iterator[Any]:
    """Open a new page."""
    page = browser.new_page(viewport=dict(viewport), color_scheme=scheme, device_scale_factor=scale)
    yield page
    page.close()


def take_report(browser: Any, file: Path, report: Report) -> None:
    """Take a picture of the report."""
    with page_of(browser, report.viewport, report.scheme) as page:
        page.goto(file.as_uri())
        page.locator(report.section).evaluate("(element) => element.scrollIntoView()")
        page.screenshot(path=FOLDER / f"{report.name}.png")


def take_hero(browser: Any, scheme: str, theme: TerminalTheme, screens: list[tuple[str, str]]) -> None:
    """Take the picture of a terminal beside the report."""
    source = "report-desktop-header" if scheme == "light" else "report-dark-header"
    terminal = "\n".join(prompt(command) + as_html(screen, theme, COLUMNS) for command, screen in screens)
    picture = b64encode((FOLDER / f"{source}.png").read_bytes()).decode()
    take_terminal(browser, f"hero-{scheme}", theme, terminal, report=f"data:image/png;base64,{picture}")


def take_progress(browser: Any, folder: Path) -> None:
    """Take the picture of the progress bars of a first load."""
    simulate = [COMMAND, "simulate", "--models", "3000", "--versions", "6", "--latency", "0.15"]
    with serving(simulate, folder, r"http://[\d.:]+") as host:
        settings = environment(folder, TFY_HOST=host, TFY_API_KEY="demo-token", TFY_ETL_DATABASE_URL="sqlite:///new.db")
        frames = record([str(COMMAND), "sync", "--page-size", "250"], columns=COLUMNS, environment=settings, cwd=folder)
    terminal = prompt("tfy-etl sync") + as_html(max(frames, key=_progress), LIGHT, COLUMNS)
    take_terminal(browser, "progress", LIGHT, terminal)


def _progress(frame: str) -> tuple[int, float]:
    """Rank a frame by its number of bars, and by how near the last bar is to two thirds."""
    bars = [line for line in re.sub(r"\x1b\[[\d;]*m", "", frame).splitlines() if "━" in line]
    counts = (
        [(int(done), int(total)) for done, total in re.findall(r"(\d+)/(\d+)", bars[-1].replace(",", ""))]
        if bars
        else []
    )
    if not counts or counts[0][1] < _MANY:
        return 0, 0.0
    done, total = counts[0]
    return len(bars), -abs(done / total - 2 / 3)


def take_terminal(browser: Any, name: str, theme: TerminalTheme, terminal: str, report: str = "") -> None:
    """Take the picture of a terminal, beside a report if one is given."""
    values = {
        "terminal": terminal,
        "report": f'<div class="card report"><div class="bar">report.html</div><img src="{report}"></div>'
        if report
        else "",
        "ground": _css(theme.background_color),
        "text": _css(theme.foreground_color),
        "muted": _css(theme.ansi_colors[8]),
        "good": _css(theme.ansi_colors[2]),
        "line": "#d0d7de" if theme is LIGHT else "#30363d",
        "bar": "#f6f8fa" if theme is LIGHT else "#161b22",
    }
    with page_of(browser, HERO, scale=1.5) as page:
        page.set_content(_PAGE.substitute(values))
        page.locator("main").screenshot(path=FOLDER / f"{name}.png")


def _css(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


_PAGE = Template("""\
<style>
  body { margin: 0; background: $ground; color: $text; }
  main { display: inline-flex; gap: 20px; padding: 2px; background: $ground; align-items: stretch; }
  .card { background: $ground; border: 1px solid $line; border-radius: 8px; overflow: hidden; }
  .bar { height: 30px; background: $bar; border-bottom: 1px solid $line; }
  .bar { color: $muted; font: 13px/30px sans-serif; text-align: center; }
  pre { margin: 0; padding: 14px 16px; font: 13px/19px "DejaVu Sans Mono", monospace; white-space: pre; }
  .prompt { color: $good; font-weight: bold; }
  .report { width: 620px; }
  .report img { width: 100%; display: block; }
</style>
<main><div class="card"><div class="bar">Terminal</div><pre>$terminal</pre></div>$report</main>
""")


def take_explore(browser: Any, folder: Path) -> None:
    """Take the picture of a model in production in `tfy-etl explore`."""
    explore = [COMMAND, "explore", "--port", "0"]
    with serving(explore, folder, r"http://\S+") as address, page_of(browser, DESKTOP) as page:
        page.goto(f"{address}/production_models?_sort_desc=versions_behind")
        page.locator("td.col-model_name a").first.click()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / "explore.png")


@contextmanager
def serving(command: list[Any], folder: Path, address: str) -> Iterator[str]:
    """Run a command that serves until it is stopped; yield the address that it prints."""
    settings = environment(folder)
    with subprocess.Popen(command, cwd=folder, env=settings, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 it is a pipe
        for line in process.stdout:
            if found := re.search(address, line):
                yield found[0]
                break
        process.terminate()


def write_answer(database: Path) -> None:
    """Run the query of README.md, and write its result as a Markdown table."""
    (query,) = re.findall(r"```sql\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    with closing(sqlite3.connect(database)) as connection:
        cursor = connection.execute(query)
        rows = [[each[0] for each in cursor.description], *map(list, cursor)]
    rows.insert(1, ["---"] * len(rows[0]))
    table = "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)
    (FOLDER / "answer.txt").write_text(f"{table}\n", encoding="utf-8")


def check_sizes() -> None:
    """Exit with the pictures that are too large, if any."""
    if large := [path.name for path in sorted(FOLDER.glob("*.png")) if path.stat().st_size > MAX_BYTES]:
        sys.exit(f"These pictures have more than {MAX_BYTES:,} bytes: {', '.join(large)}")


if __name__ == "__main__":
    main()
