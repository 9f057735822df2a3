"""Generate the parts of README.md and docs that come from the code.

`make format` regenerates them, and `make lint` checks them.
"""

import json
import runpy
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import click

from etl import schema_docs
from etl.cli.main import cli
from etl.explore.comparisons import COMPARISONS, Comparison
from etl.explore.questions import QUESTIONS, Question
from etl.setting_names import flag
from etl.settings import Settings, env_names
from etl.telemetry.metrics_file import COUNTERS, GAUGES

_WIDTH = 84
_TESTS = Path(__file__).parents[2] / "tests"
_PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
_BENCH = Path(__file__).parents[2] / "bench"


def help_of(*names: str) -> str:
    """Return what `tfy-etl NAMES --help` prints."""
    # The context needs the settings of the real command, such as the names of the help option.
    context = cli.context_class(cli, info_name="tfy-etl", terminal_width=_WIDTH, **cli.context_settings)
    command: click.Command = cli
    for name in names:
        assert isinstance(command, click.Group)  # noqa: S101 the docs name only groups and commands that exist
        command = command.commands[name]
        context = click.Context(command, parent=context, info_name=name, terminal_width=_WIDTH)
    return f"```text\n{command.get_help(context)}\n```"


def every_help() -> str:
    """Return the help of each command under a heading."""
    return "\n\n".join(f"## {' '.join(('tfy-etl', *names))}\n\n{help_of(*names)}" for names in _commands(cli))


def _commands(command: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _commands(command.commands[name], *names, name)


def prepared_queries() -> str:
    """Return the questions of `tfy-etl explore` as a table."""
    lines = ["| address | question | fields |", "| --- | --- | --- |"]
    pages: tuple[Comparison | Question, ...] = (*COMPARISONS, *QUESTIONS)
    for each in pages:
        fields_of = ", ".join(f"`{parameter.name}`" for parameter in each.parameters)
        lines.append(f"| `/registry/{each.name}` | {each.title} | {fields_of} |")
    return "\n".join(lines)


def settings_table() -> str:
    """Return a table of every setting: option, environment variable, default, meaning."""
    lines = ["| option | environment | default | meaning |", "| --- | --- | --- | --- |"]
    for each in fields(Settings):
        if "scope" not in each.metadata:
            continue
        names = ", ".join(f"`{name}`" for name in env_names(each.name))
        options = [each.metadata["short"]] if "short" in each.metadata else []
        option = ", ".join(f"`{name}`" for name in (*options, flag(each.name)))
        lines.append(f"| {option} | {names} | {_default(each.default)} | {each.metadata['help']} |")
    return "\n".join(lines)


def _default(value: object) -> str:
    if value in (None, ()):
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, timedelta):
        return f"`{value.total_seconds() / 3600:g}h`" if value else "`0s`"
    return f"`{value}`"


def tables() -> str:
    """Tables and views with what they hold."""
    schema = schema_docs.describe_schema()
    lines = ["| table or view | holds |", "| --- | --- |"]
    lines += [
        f"| [{each.name}](schema.md#{each.name}) | {each.description} |" for each in (*schema.tables, *schema.views)
    ]
    return "\n".join(lines)


_CHANGES = "What changed, as tfy-etl changes shows it"


def demo() -> str:
    """Return the lines of `make demo` that say what changed, as `make pictures` has written them."""
    output = [line for line in (_PICTURES / "demo.txt").read_text(encoding="utf-8").splitlines() if line]
    second, changes = (output.index(title) for title in ("Second sync: it finds what has changed", _CHANGES))
    shown = "\n".join([*output[second : second + 2], *output[changes : changes + 9]])
    return f"```text\n$ make demo\n{shown}\n```"


def answer() -> str:
    """Return the result of the query of README.md, as `make pictures` has written it."""
    return (_PICTURES / "answer.txt").read_text(encoding="utf-8").rstrip()


def metrics() -> str:
    """Return a table of the metrics that `--metrics-file` writes."""
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for kind, suffix, declared in (("counter", "_total", COUNTERS), ("gauge", "", GAUGES)):
        for name, (meaning, labels) in declared.items():
            lines.append(f"| `{name}{suffix}` | {kind} | {', '.join(f'`{each}`' for each in labels)} | {meaning} |")
    return "\n".join(lines)


def drift() -> str:
    """Return what bench/drift.py measured on lists that change while they are read."""
    bench = runpy.run_path(str(_BENCH / "drift.py"))
    measured = json.loads((_BENCH / "results" / "drift.json").read_text(encoding="utf-8"))
    table: str = bench["table"]([bench["Figures"](**each) for each in measured])
    return table


def bad_answers() -> str:
    """Return a table of the bad answers in the tests, and of what a run does about each."""
    lines = [
        "| answer | when | fault | the run | exit code | the database holds | maximum requests |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for bad in runpy.run_path(str(_TESTS / "support" / "bad_answers.py"))["BAD_ANSWERS"]:
        faults = ", ".join(f"`{fault}`" for fault in bad.faults)
        cells = (bad.name, bad.duration, faults, bad.does, bad.exit_code, bad.holds, bad.requests)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
