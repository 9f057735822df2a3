import json
from pathlib import Path
from typing import Any

import pytest

from etl.settings import Settings
from tests.e2e.cli.commands import TOKEN
from tests.e2e.cli.conftest import Cli


def printed_settings(done: Any) -> dict[str, dict[str, Any]]:
    """The settings that were printed as JSON, by name."""
    assert (done.code, done.err) == (0, "")
    return {each.pop("name"): each for each in json.loads(done.out)["settings"]}


def test_each_setting_is_shown_with_its_value_and_its_source(
    folder: Path, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "etl.toml").write_text('page-size = 200\nml-repo = ["1", "2"]\ntimeout = 7\nkeep = "90d"')
    monkeypatch.setenv("TFY_ETL_CONFIG", "etl.toml")
    monkeypatch.setenv("TFY_BASE_URL", "https://plane.tfy")
    monkeypatch.setenv("TFY_ETL_FULL", "1")
    monkeypatch.setenv("TFY_ETL_TIMEOUT", "8")
    found = printed_settings(tfy_etl("config", "show", "--output", "json", "--timeout", "9", "-v"))
    assert set(found) == {name.replace("_", "-") for name in Settings.__dataclass_fields__} - {"api-key"} | {"token"}
    assert {name: tuple(found[name].values()) for name in found if found[name]["source"] != "default"} == {
        "host": ("https://plane.tfy", "environment", "TFY_BASE_URL"),
        "timeout": (9.0, "option", None),
        "verbose": (True, "option", None),
        "page-size": (200, "config file", "etl.toml"),
        "ml-repo": (["1", "2"], "config file", "etl.toml"),
        "full": (True, "environment", "TFY_ETL_FULL"),
        "keep": ("2160h", "config file", "etl.toml"),
    }
    assert found["full-every"] == {"value": "24h", "source": "default", "origin": None}


def test_text_output_is_a_table_of_the_settings(tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFY_ETL_ML_REPO", "1 2")
    done = tfy_etl("config", "show")
    lines = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()}
    assert lines["setting"] == ["value", "from"]
    assert lines["ml-repo"] == ["1", "2", "environment", "TFY_ETL_ML_REPO"]
    assert lines["include-empty"] == ["on", "default"]
    assert lines["fqn"] == ["default"]


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {}, (None, "default", None)),
        ([], {"TFY_API_KEY": TOKEN}, ("****", "environment", "TFY_API_KEY")),
        ([], {"TFY_API_KEY_FILE": "secret"}, ("****", "environment", "TFY_API_KEY_FILE")),
        (["--api-key-file", "secret"], {"TFY_API_KEY": "another"}, ("****", "option", "--api-key-file")),
    ],
)
def test_the_token_is_hidden_and_its_source_is_shown(
    *,
    arguments: list[str],
    environment: dict[str, str],
    expected: tuple[str | None, ...],
    folder: Path,
    tfy_etl: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "secret").write_text(TOKEN)
    (folder / "secret").chmod(0o600)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (
        tuple(printed_settings(tfy_etl("config", "show", "--output", "json", *arguments))["token"].values()) == expected
    )


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize(
    ("name", "value", "visible"),
    [
        ("TFY_ETL_DATABASE_URL", "postgresql://etl:hush%40it@db/x?sslpassword=hush-it", "postgresql://etl:****@db/x"),
        ("TFY_ETL_DATABASE_URL", "postgresql://etl:hush@it@db/x", "****"),
        ("TFY_ETL_DATABASE_URL", "etl:hush-it@db/x", "****"),
        ("TFY_ETL_NOTIFY_URL", "https://chat.tfy/hush/it", "****"),
        ("TFY_HOST", "https://me:hush-it@plane.tfy", "https://me:****@plane.tfy"),
        ("TFY_HOST", "https://hush-it@plane.tfy", "****"),
        ("TFY_API_KEY_FILE", "hush-it", "****"),
    ],
)
def test_no_secret_is_shown(
    *, name: str, value: str, visible: str, output: str, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    done = tfy_etl("config", "show", "--output", output)
    assert done.code == 0
    assert visible in done.out
    for secret in ("hush", TOKEN):
        assert secret not in done.out + done.err


def test_an_invalid_value_is_an_error_that_names_its_option(tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFY_ETL_PAGE_SIZE", "ten")
    done = tfy_etl("config", "show")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: Invalid value for '--page-size': 'ten' is not a valid integer.")
