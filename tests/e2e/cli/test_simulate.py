import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.cli.commands import COMMAND, TOKEN, execute
from tests.e2e.cli.conftest import Cli
from tests.support.patience import patience


@contextmanager
def simulating(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Start the simulator; yield its process and the variables that it prints."""
    process = subprocess.Popen([COMMAND, "simulate", "--port", "0", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2 if "TFY_API_KEY" not in os.environ else 1)]
        yield process, dict(each.removeprefix("export ").rstrip().split("=", 1) for each in lines)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_simulate_serves_the_printed_url_until_stopped(number: signal.Signals, folder: Path) -> None:
    with simulating("--models", "5") as (process, environment):
        assert environment["TFY_API_KEY"] == "demo-token"
        done = execute(COMMAND, "sync", cwd=folder, env=environment)
        assert done.code == 0
        assert done.out.startswith("Up to date: 5 models, ")
        process.send_signal(number)
        assert process.wait(patience()) == 0


def test_the_printed_lines_can_be_pasted_and_stderr_says_how_to_stop(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TFY_API_KEY", raising=False)
    with (folder / "err").open("w") as err:
        process = subprocess.Popen(
            [COMMAND, "simulate", "--port", "0", "--models", "1"], stdout=subprocess.PIPE, stderr=err, text=True
        )
        assert process.stdout is not None
        pasted = process.stdout.readline() + process.stdout.readline()
        done = execute("/bin/sh", "-c", f"{pasted}{COMMAND} -q sync", cwd=folder)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=patience())
    assert (done.code, done.err) == (0, "")
    assert (folder / "err").read_text() == ("Paste these lines into another terminal. Ctrl+C stops the simulation.\n")


def test_a_token_in_the_environment_is_used_and_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    with simulating("--models", "0", "--fault", "slow:0") as (_, environment):
        assert set(environment) == {"TFY_HOST"}
        address = f"{environment['TFY_HOST']}/api/ml/v1/models"
        assert [
            httpx.get(address, headers={"Authorization": f"Bearer {each}"}, timeout=patience()).status_code
            for each in (TOKEN, "no")
        ] == [
            200,
            401,
        ]


@pytest.mark.parametrize(
    ("arguments", "statuses"),
    [
        ((), {"ml-repos": 200, "models": 200, "model-versions": 200}),
        (("--offers", "models"), {"ml-repos": 404, "models": 200, "model-versions": 404}),
        (
            ("--offers", "models, model-versions", "--not-offered", "501"),
            {"ml-repos": 501, "models": 200, "model-versions": 200},
        ),
        (("--forbids", "model-versions,ml-repos"), {"ml-repos": 403, "models": 200, "model-versions": 403}),
    ],
)
def test_lists_not_offered_or_forbidden_respond_with_their_status(
    arguments: tuple[str, ...], statuses: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TFY_API_KEY", raising=False)
    with simulating("--models", "1", *arguments) as (_, environment):
        headers = {"Authorization": "Bearer demo-token"}
        prefix = f"{environment['TFY_HOST']}/api/ml/v1"
        assert {each: httpx.get(f"{prefix}/{each}", headers=headers).status_code for each in statuses} == statuses


def test_the_html_page_for_lists_not_offered_has_status_200(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TFY_API_KEY", raising=False)
    with simulating("--models", "1", "--offers", "models", "--not-offered", "html") as (_, environment):
        address = f"{environment['TFY_HOST']}/api/ml/v1/ml-repos"
        response = httpx.get(address, headers={"Authorization": "Bearer demo-token"})
    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, "text/html")


@pytest.mark.parametrize("option", ["--offers", "--forbids"])
def test_an_unknown_list_is_refused_with_the_known_ones(option: str, tfy_etl: Cli) -> None:
    done = tfy_etl("simulate", option, "models,versions")

    assert (done.code, done.out) == (2, "")
    assert done.err == f"Error: {option} names an unknown list 'versions': use ml-repos, models, model-versions.\n"


def test_a_port_in_use_is_an_error(tfy_etl: Cli) -> None:
    with simulating("--models", "0") as (_, environment):
        port = environment["TFY_HOST"].rpartition(":")[2]
        done = execute(COMMAND, "simulate", "--port", port, cwd=Path.cwd())
    assert (done.code, done.err) == (
        2,
        f"Error: Cannot listen on port {port}: Address already in use. Choose another --port.\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "65536"],
        ["--port", "-1"],
        ["--models", "-1"],
        ["--ml-repos", "0"],
        ["--latency", "-1"],
        ["--max-limit", "0"],
        ["--fault", "no-such"],
        ["--fault", "slow,every=0"],
        ["--not-offered", "403"],
    ],
)
def test_invalid_arguments_are_a_one_line_error(arguments: list[str], tfy_etl: Cli) -> None:
    done = tfy_etl("simulate", *arguments)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)


def test_the_registry_changes_at_the_interval(folder: Path) -> None:
    with simulating("--models", "2", "--change-every", "0.1s") as (_, environment):
        execute(COMMAND, "sync", cwd=folder, env=environment)
        deadline = time.monotonic() + patience()
        while time.monotonic() < deadline:
            execute(COMMAND, "sync", cwd=folder, env=environment)
            if "tag prod" in execute(COMMAND, "changes", cwd=folder, env=environment).out:
                return
    pytest.fail("no tag was moved")
