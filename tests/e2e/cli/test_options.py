"""Options before and after the command, and the precedence of the sources of a setting."""

import json
from pathlib import Path

import pytest

from etl.settings import DEFAULT_DATABASE_URL
from etl.simulator import Simulator
from tests.e2e.cli.commands import TOKEN
from tests.e2e.cli.conftest import Cli

UNREACHABLE = "http://127.0.0.1:9"


def requested_page_sizes(plane: Simulator) -> set[str]:
    """The sizes of the requested pages, except those of probes, which request one record."""
    return {each.query["limit"] for each in plane.log} - {"1"}


@pytest.mark.parametrize(
    ("option", "variable", "in_file", "expected"),
    [
        ("3", "4", "5", {"3"}),
        (None, "4", "5", {"4"}),
        (None, None, "5", {"5"}),
        (None, "", None, {"500"}),
    ],
)
def test_precedence_is_option_environment_file_default(
    *,
    option: str | None,
    variable: str | None,
    in_file: str | None,
    expected: set[str],
    ready: Simulator,
    folder: Path,
    tfy_etl: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "etl.toml").write_text(f"page-size = {in_file}" if in_file else "")
    if variable is not None:
        monkeypatch.setenv("TFY_ETL_PAGE_SIZE", variable)
    arguments = ["--page-size", option] if option else []
    assert tfy_etl("sync", "--config", "etl.toml", *arguments).code == 0
    assert requested_page_sizes(ready) == expected


def test_precedence_holds_for_the_host(
    ready: Simulator, folder: Path, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "etl.toml").write_text(f'host = "{UNREACHABLE}"')
    assert tfy_etl("check", "--config", "etl.toml").code == 0  # TFY_HOST beats the file
    monkeypatch.setenv("TFY_HOST", UNREACHABLE)
    assert tfy_etl("check", "--host", ready.url).code == 0  # the option beats TFY_HOST
    (folder / "etl.toml").write_text(f'host = "{ready.url}"')
    monkeypatch.delenv("TFY_HOST")
    assert tfy_etl("check", "--config", "etl.toml").code == 0


def test_precedence_holds_for_the_database(
    ready: Simulator, folder: Path, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "etl.toml").write_text('database-url = "sqlite:///of-file.db"')
    assert tfy_etl("sync").code == 0
    assert tfy_etl("sync", "--config", "etl.toml").code == 0
    monkeypatch.setenv("TFY_ETL_DATABASE_URL", "sqlite:///of-environment.db")
    assert tfy_etl("sync", "--config", "etl.toml").code == 0
    assert tfy_etl("sync", "--config", "etl.toml", "--database-url", "sqlite:///of-option.db").code == 0
    assert {path.name for path in folder.glob("*.db")} == {
        DEFAULT_DATABASE_URL.removeprefix("sqlite:///"),
        "of-file.db",
        "of-environment.db",
        "of-option.db",
    }


@pytest.mark.parametrize("name", ["TFY_HOST", "TFY_BASE_URL", "TFY_API_HOST", "TFY_ETL_HOST"])
def test_the_host_is_read_from_each_of_its_variables(
    name: str, plane: Simulator, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, plane.url)
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    assert tfy_etl("check").code == 0


def test_the_variables_of_the_host_have_the_documented_precedence(
    ready: Simulator, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_BASE_URL", UNREACHABLE)
    monkeypatch.setenv("TFY_API_HOST", UNREACHABLE)
    assert tfy_etl("check").code == 0


@pytest.fixture
def token_files(folder: Path) -> None:
    for name, token in (("good", TOKEN), ("bad", "not-the-token")):
        (folder / name).write_text(f" {token}\r\n")
        (folder / name).chmod(0o600)


@pytest.mark.parametrize(
    ("arguments", "environment", "config", "code"),
    [
        (["--api-key-file", "good"], {"TFY_API_KEY": "bad-token", "TFY_API_KEY_FILE": "bad"}, "bad", 0),
        (["--api-key-file", "bad"], {"TFY_API_KEY": TOKEN}, "good", 2),
        ([], {"TFY_API_KEY": TOKEN, "TFY_API_KEY_FILE": "bad"}, "bad", 0),
        ([], {"TFY_API_KEY": "bad-token", "TFY_API_KEY_FILE": "good"}, "good", 2),
        ([], {"TFY_API_KEY": TOKEN}, "bad", 0),
        ([], {"TFY_API_KEY_FILE": "good"}, "bad", 0),
        ([], {"TFY_ETL_API_KEY_FILE": "good"}, "bad", 0),
        ([], {"TFY_API_KEY": ""}, "good", 0),
        ([], {}, "good", 0),
    ],
)
def test_precedence_holds_for_the_token_and_its_file(
    *,
    arguments: list[str],
    environment: dict[str, str],
    config: str,
    code: int,
    plane: Simulator,
    token_files: None,
    folder: Path,
    tfy_etl: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "etl.toml").write_text(f'host = "{plane.url}"\napi-key-file = "{config}"')
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert tfy_etl("sync", "--config", "etl.toml", *arguments).code == code


@pytest.mark.parametrize(
    "arguments",
    [
        ["--host", "HOST", "--log-level", "error", "sync", "--full"],
        ["sync", "--full", "--host", "HOST", "--log-level", "error"],
        ["sync", "--log-level=error", "--full", "--host=HOST"],
        ["--log-level", "error", "sync", "--host", "HOST", "--full", "--no-progress"],
    ],
)
def test_global_options_work_before_and_after_the_command(
    arguments: list[str], plane: Simulator, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    done = tfy_etl(*(each.replace("HOST", plane.url) for each in arguments))
    assert (done.code, done.err) == (0, "")


def test_an_option_after_two_dashes_is_an_argument(tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--", "--host")
    assert (done.code, done.err) == (2, "Error: Got unexpected extra argument (--host). See tfy-etl sync --help.\n")


def test_an_option_without_a_value_does_not_consume_the_command(tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--host")
    assert (done.code, done.err) == (2, "Error: Option '--host' requires an argument. See tfy-etl --help.\n")


def test_the_variable_of_the_output_format_applies_to_every_command_with_a_result(
    ready: Simulator, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_ETL_OUTPUT", "json")
    for command in (["sync"], ["status"], ["check"], ["changes"], ["config", "show"]):
        json.loads(tfy_etl(*command).out)
    assert not tfy_etl("status", "--output", "text").out.startswith("{")


def test_the_output_format_of_the_config_file_applies_to_every_command_with_a_result(
    ready: Simulator, folder: Path, tfy_etl: Cli
) -> None:
    (folder / "settings.toml").write_text('output = "json"')
    for command in (["sync"], ["status"], ["check"], ["rejected", "list"], ["config", "show"]):
        json.loads(tfy_etl("--config", "settings.toml", *command).out)


def test_the_database_url_is_read_from_a_file(
    ready: Simulator, folder: Path, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "url").write_text("sqlite:///from-file.db\n")
    monkeypatch.setenv("TFY_ETL_DATABASE_URL_FILE", "url")
    done = tfy_etl("sync", "--quiet")
    assert (done.code, done.err, (folder / "from-file.db").exists()) == (0, "", True)
    monkeypatch.setenv("TFY_ETL_DATABASE_URL", "sqlite:///from-variable.db")
    assert tfy_etl("sync").code == 0
    assert (folder / "from-variable.db").exists()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "Cannot read the file named by TFY_ETL_DATABASE_URL_FILE: No such file or directory."),
        (b"hush\xff", "Cannot read the file named by TFY_ETL_DATABASE_URL_FILE: it is not UTF-8 text."),
        (b" \n", "The file named by TFY_ETL_DATABASE_URL_FILE is empty: write the database URL to it."),
    ],
)
def test_an_invalid_database_url_file_is_a_one_line_error(
    content: bytes | None, error: str, folder: Path, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (folder / "url").write_bytes(content)
    monkeypatch.setenv("TFY_ETL_DATABASE_URL_FILE", "url")
    done = tfy_etl("status")
    assert (done.code, done.err) == (2, f"Error: {error}\n")


def test_an_invalid_database_url_file_fails_only_commands_that_need_it(
    ready: Simulator, folder: Path, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_ETL_DATABASE_URL_FILE", "missing")
    assert [tfy_etl(*command).code for command in (["--help"], ["--version"], ["sync", "--help"])] == [0, 0, 0]
    assert [tfy_etl(*command).code for command in (["sync"], ["status"], ["config", "show"])] == [2, 2, 2]
    assert tfy_etl("sync", "--database-url", "sqlite:///named.db").code == 0
    assert (folder / "named.db").exists()


def test_the_password_in_the_database_url_file_is_in_no_output(
    folder: Path, tfy_etl: Cli, ready: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "url").write_text("postgresql://u:hush-hush@127.0.0.1:1/db")
    monkeypatch.setenv("TFY_ETL_DATABASE_URL_FILE", "url")
    for command in (["sync", "--log-level", "debug"], ["config", "show"]):
        done = tfy_etl(*command)
        assert "hush" not in done.out + done.err
