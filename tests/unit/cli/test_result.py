import io
from typing import Any

import pytest
from rich.console import Console

from etl.cli import logs
from etl.cli.result import print_run_result
from etl.enums import Coverage, Entity, RunStatus
from etl.store import Tally
from etl.sync import Summary
from etl.sync.plan import Plan


def summary(**changes: Any) -> Summary:
    defaults: dict[str, Any] = {
        "run_id": "r",
        "status": RunStatus.SUCCEEDED,
        "complete": True,
        "coverage": Coverage.ALL,
        "mode": "incremental",
        "proof": "anchored",
        "duration_s": 1.26,
        "requests": 1,
        "retries": 0,
        "bytes_received": 2_500_000,
        "tallies": {
            Entity.ML_REPOS: Tally(seen=1, unchanged=1),
            Entity.MODELS: Tally(seen=1200, inserted=1, unchanged=1199),
            Entity.MODEL_VERSIONS: Tally(seen=9, updated=4, unchanged=3, restored=2, deleted=2),
        },
        "live": {Entity.ML_REPOS: 1, Entity.MODELS: 1199, Entity.MODEL_VERSIONS: 50_000},
        "plan": Plan("by model", 1, "1 model looks changed"),
    }
    return Summary(**defaults | changes)


def printed_result(of: Summary, *, brief: bool = False) -> str:
    file = io.StringIO()
    out = Console(file=file, width=100, markup=False, emoji=False, highlight=False, _environ={})
    print_run_result(of, out, brief=brief)
    return file.getvalue()


def test_a_result_has_state_counts_reason_proof_and_cost() -> None:
    assert [line.rstrip() for line in printed_result(summary()).splitlines()] == [
        "Up to date: 1,200 models, 50,000 versions in 1 ML repo",
        "           read  inserted  updated  unchanged  restored  deleted",
        "ML repos      1         0        0          1         0        0",
        "models    1,200         1        0      1,199         0        0",
        "versions      9         0        4          3         2        2",
        "9 versions were read: 1 model looks changed.",
        "Proven complete (all pages joined); covers all versions of each model.",
        "1 request, 2.5 MB, 1.3 s.",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"retries": 1, "requests": 1234}, "1,234 requests (1 retry), 2.5 MB, 1.3 s."),
        ({"retries": 2, "requests": 3}, "3 requests (2 retries), 2.5 MB, 1.3 s."),
        ({"duration_s": 3725.0}, "1 request, 2.5 MB, 62 min 5 s."),
        ({"proof": "confirmed", "coverage": Coverage.LATEST},
         "Proven complete (two sweeps agree); covers only the latest version of each model."),
        ({"coverage": None}, "Proven complete (all pages joined)."),
        ({"complete": False, "proof": None, "status": RunStatus.PARTIAL},
         "Not proven complete: nothing was deleted; covers all versions of each model."),
        ({"plan": Plan("none", 0, "no model looks changed")}, "No version was read: no model looks changed."),
        ({"plan": Plan("sweep", 2, "--full was given"), "mode": "full"}, "9 versions were read: --full was given."),
        ({"plan": Plan("embedded", 0, "not offered")}, "Each model's latest version was read: not offered."),
    ],
)  # fmt: skip
def test_each_line_depends_on_the_run(changes: dict[str, Any], line: str) -> None:
    assert line in printed_result(summary(**changes)).splitlines()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "Up to date: 1,200 models, 50,000 versions in 1 ML repo"),
        ({"status": RunStatus.PARTIAL}, "Partly up to date: 1,200 models, 50,000 versions in 1 ML repo"),
        ({"coverage": Coverage.LATEST}, "Up to date: 1,200 models in 1 ML repo (latest versions only)"),
        ({"live": {Entity.MODELS: 0, Entity.MODEL_VERSIONS: 5}}, "Up to date: 1 model, 5 versions (filtered)"),
        ({"run_id": None},
         ("Dry run: nothing was written. A run would insert 1 model; update 4 versions; restore 2 versions; "
          "delete 2 versions.")),
        ({"run_id": None, "tallies": {Entity.MODELS: Tally(seen=3, unchanged=3)}},
         "Dry run: nothing was written. A run would change nothing."),
        ({"run_id": None, "status": RunStatus.REFUSED}, "Dry run: nothing was written. A run would be refused."),
    ],
)  # fmt: skip
def test_the_first_line_is_the_state_and_all_of_a_brief_result(changes: dict[str, Any], line: str) -> None:
    assert " ".join(printed_result(summary(**changes), brief=True).split()) == line


def test_warnings_and_rejected_records_end_the_result_brief_or_not() -> None:
    tallies = {Entity.MODEL_VERSIONS: Tally(seen=1, rejected=1)}
    of = summary(status=RunStatus.PARTIAL, tallies=tallies | {Entity.MODELS: Tally()}, warnings=["odd"], live={})
    for brief in (False, True):
        assert printed_result(of, brief=brief).splitlines()[-2:] == [
            "Warning: odd",
            "1 record was rejected: tfy-etl rejected list shows the reasons.",
        ]


@pytest.mark.parametrize(
    ("status", "printed"),
    [(RunStatus.SUCCEEDED, []), (RunStatus.REFUSED, ["Warning: the deletes would pass the limit"])],
)
def test_warnings_that_the_terminal_shows_already_are_left_out(
    status: str, printed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "share_terminal_with", lambda _: True)
    of = summary(run_id=None, status=status, warnings=["logged", "the deletes would pass the limit"])
    assert [line for line in printed_result(of).splitlines() if "Warning" in line] == printed


def test_text_of_the_control_plane_is_sanitized() -> None:
    evil = "[red]\x1b[2J\u202e:smile:"
    out = printed_result(summary(plan=Plan("sweep", 0, evil), warnings=[evil]))
    assert out.count(r"[red]\x1b[2J\u202e:smile:") == 2
    assert all(line.isprintable() for line in out.splitlines())


class Utf8(io.StringIO):
    encoding = "utf-8"


class Ascii(io.StringIO):
    encoding = "ascii"


@pytest.mark.parametrize(
    ("status", "file", "environment", "start"),
    [
        ("succeeded", Utf8, {"TERM": "xterm"}, "\x1b[1;32m✔ Up to date"),
        ("partial", Utf8, {"TERM": "xterm"}, "\x1b[1;33m✘ Partly up to date"),
        ("succeeded", Utf8, {"TERM": "xterm", "NO_COLOR": "1"}, "\x1b[1m✔ Up to date"),
        ("succeeded", Utf8, {"TERM": "dumb"}, "Up to date"),
        ("succeeded", Ascii, {"TERM": "xterm"}, "\x1b[1;32mUp to date"),
    ],
)
def test_marks_and_colours_depend_on_the_terminal(
    status: str, file: type[io.StringIO], environment: dict[str, str], start: str
) -> None:
    terminal = file()
    out = Console(file=terminal, width=100, force_terminal=True, legacy_windows=False, _environ=environment)
    print_run_result(summary(status=status), out)
    assert terminal.getvalue().startswith(start)
