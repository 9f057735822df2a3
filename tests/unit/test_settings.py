import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.environment import database_url_of_environment
from etl.errors import ConfigError
from etl.setting_names import flag
from etl.settings import (
    DEFAULT_DATABASE_URL,
    Settings,
    env_names,
    token_of_environment,
)

TOKEN = "secret-token-1234"


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [
        ("page_size", 0, "at least 1"),
        ("concurrency", 0, "between 1 and 64"),
        ("concurrency", 65, "between 1 and 64"),
        ("max_sweeps", 0, "at least 1"),
        ("max_retries", -1, "at least 0"),
        ("timeout", 0.0, "between 0.001 and 86400"),
        ("timeout", math.nan, "between 0.001 and 86400"),
        ("timeout", math.inf, "between 0.001 and 86400"),
        ("max_retry_time", -0.1, "at least 0, and finite"),
        ("max_retry_time", math.nan, "at least 0, and finite"),
        ("max_retry_time", math.inf, "at least 0, and finite"),
        ("requests_per_second", -0.1, "at least 0, and finite"),
        ("requests_per_second", math.nan, "at least 0, and finite"),
        ("requests_per_second", math.inf, "at least 0, and finite"),
        ("lock_wait", -1.0, "at least 0, and finite"),
        ("lock_wait", math.nan, "at least 0, and finite"),
        ("lock_wait", math.inf, "at least 0, and finite"),
        ("max_delete_share", -0.01, "between 0 and 1"),
        ("max_delete_share", 1.01, "between 0 and 1"),
        ("max_delete_share", math.nan, "between 0 and 1"),
    ],
)
def test_an_invalid_number_is_refused(name: str, value: Any, bounds: str) -> None:
    with pytest.raises(ConfigError) as error:
        Settings(**{name: value})
    assert str(error.value) == f"{flag(name)} must be {bounds}, not {value}."


@pytest.mark.parametrize(
    ("arguments", "on_terminal", "without_terminal"),
    [
        ({}, "warning", "info"),
        ({"log_format": "json"}, "info", "info"),
        ({"log_level": "debug"}, "debug", "debug"),
        ({"verbose": True}, "info", "info"),
        ({"verbose": True, "log_level": "debug"}, "debug", "debug"),
        ({"verbose": True, "log_level": "error"}, "info", "info"),
        ({"quiet": True}, "error", "error"),
        ({"quiet": True, "log_level": "debug"}, "error", "error"),
    ],
)
def test_the_log_level_depends_on_the_terminal_unless_it_is_set(
    arguments: dict[str, Any], on_terminal: str, without_terminal: str
) -> None:
    settings = Settings(**arguments)
    assert settings.min_log_level(terminal=True) == on_terminal
    assert settings.min_log_level(terminal=False) == without_terminal


def test_a_quiet_run_shows_no_progress() -> None:
    assert [Settings(quiet=quiet, progress=True).wants_progress() for quiet in (False, True)] == [True, False]


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_delete_share", 0.0), ("max_delete_share", 1.0), ("requests_per_second", 0.0), ("lock_wait", 0.0)],
)
def test_the_bounds_themselves_are_valid(name: str, value: Any) -> None:
    assert getattr(Settings(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("https://plane.example", "https://plane.example"),
        ("https://plane.example/", "https://plane.example"),
        ("https://corp.example/tfy/", "https://corp.example/tfy"),
        (" plane.example ", "https://plane.example"),
        ("plane.example:8443", "https://plane.example:8443"),
        ("HTTPS://plane.example", "https://plane.example"),
        ("https://bücher.example", "https://bücher.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.8.8.8", "http://127.8.8.8"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_a_host_is_normalized_to_a_url(host: str, url: str) -> None:
    assert Settings(host=host).base_url() == url


@pytest.mark.parametrize(
    "host",
    [
        "https://", "//", "/", "ftp://plane.example", "http:/plane.example", "https:plane.example",
        "https://plane.example:port", "https://plane.example:70000", "https://[::1", "https://:443",
        "https://two words", "https://plane.example\x00", "https://plane.example\n/x", "https://plane\u200b.example",
        "https://plane.example?x=1", "https://plane.example#x", "https://me@plane.example",
        "http://plane.example", "http://10.0.0.1", "http://localhost.example", "http://0.0.0.0", "", None,
    ],
)  # fmt: skip
def test_an_invalid_or_unencrypted_host_is_refused(host: str | None) -> None:
    with pytest.raises(ConfigError):
        Settings(host=host).base_url()


@given(st.text())
def test_any_host_gives_a_url_or_a_config_error(host: str) -> None:
    try:
        url = Settings(host=host).base_url()
    except ConfigError:
        return
    assert url.lower().startswith(("http://", "https://"))
    assert url.isprintable()


@pytest.mark.parametrize("host", ["https://me:hush@[bad", "https://me:hush@plane.example", "x://y?token=hush"])
def test_a_refused_host_is_not_quoted_with_its_secrets(host: str) -> None:
    with pytest.raises(ConfigError) as error:
        Settings(host=host).base_url()
    assert "hush" not in str(error.value)


def test_plain_http_may_be_allowed() -> None:
    assert Settings(host="http://10.0.0.1", allow_insecure_http=True).base_url() == "http://10.0.0.1"


def test_the_callers_token_precedes_the_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"\n {TOKEN} \r\n")
    file = tmp_path / "token"
    assert Settings(api_key_file=file).token() == TOKEN
    assert Settings(api_key_file=file, api_key=" given ").token() == "given"


@pytest.mark.parametrize("token", ["", " \n", '"quoted" token', "two\nlines", "schlüssel", "nul\x00"])
def test_an_invalid_token_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(ConfigError) as error:
        Settings(api_key=token).token()
    assert not token.strip() or token not in str(error.value)
    assert Settings(api_key=token).find_token() is None


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), (b"\xff\xfe", "it is not UTF-8 text")]
)
def test_an_unreadable_token_file_is_an_error(content: bytes | None, reason: str, tmp_path: Path) -> None:
    if content:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match=f"Cannot read the token from .*token: {reason}."):
        Settings(api_key_file=tmp_path / "token").token()


def test_a_byte_order_mark_and_windows_line_ends_are_removed_from_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xef\xbb\xbfsecret\r\n")
    assert Settings(api_key_file=tmp_path / "token").token() == "secret"


def test_an_empty_token_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ConfigError, match="is empty: write the token"):
        Settings(api_key_file=tmp_path / "token").token()


def test_neither_token_nor_database_password_is_in_the_settings_text() -> None:
    assert TOKEN not in repr(Settings(api_key=TOKEN, database_url=f"postgresql://u:{TOKEN}@host/db"))
    assert Settings(api_key=TOKEN).find_token() == TOKEN


@pytest.mark.parametrize(("mode", "open_to_all"), [(0o600, False), (0o640, False), (0o604, True), (0o644, True)])
def test_a_world_readable_token_file_is_found(mode: int, open_to_all: bool, tmp_path: Path) -> None:  # noqa: FBT001
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(mode)
    assert Settings(api_key_file=file).world_readable_token_file() == (file if open_to_all else None)
    assert Settings(api_key_file=file, api_key=TOKEN).world_readable_token_file() is None


def test_without_a_token_file_none_is_world_readable(tmp_path: Path) -> None:
    assert Settings().world_readable_token_file() is None
    for no_file in (tmp_path / "none", tmp_path, tmp_path / ("long" * 100)):
        assert Settings(api_key_file=no_file).world_readable_token_file() is None


@pytest.mark.parametrize(
    ("option", "environment", "file"),
    [
        ("mine.pem", {"SSL_CERT_FILE": "a.pem", "REQUESTS_CA_BUNDLE": "b.pem"}, Path("mine.pem")),
        (None, {"SSL_CERT_FILE": "a.pem", "REQUESTS_CA_BUNDLE": "b.pem"}, None),
        (None, {"SSL_CERT_DIR": "certs", "REQUESTS_CA_BUNDLE": "b.pem"}, None),
        (None, {"REQUESTS_CA_BUNDLE": "b.pem"}, Path("b.pem")),
        (None, {}, None),
    ],
)
def test_the_ca_file_is_read_from_the_option_or_the_variables_of_httpx_or_requests(
    option: str | None, environment: dict[str, str], file: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Settings(ca_bundle=Path(option) if option else None).ca_file() == file


def test_every_option_has_its_own_variable_after_the_established_ones() -> None:
    assert env_names("host") == ("TFY_HOST", "TFY_BASE_URL", "TFY_API_HOST", "TFY_ETL_HOST")
    assert env_names("page_size") == ("TFY_ETL_PAGE_SIZE",)
    assert flag("page_size") == "--page-size"


def test_every_setting_but_the_token_is_an_option_with_help_in_a_group() -> None:
    for each in fields(Settings):
        metadata: dict[str, Any] = dict(each.metadata)
        if each.name != "api_key":
            assert metadata["scope"] in {"global", "sync", "words", "prune"}
            assert metadata["help"].endswith(".")
            assert metadata["group"]


def test_the_environment_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (token_of_environment(), database_url_of_environment()) == (None, DEFAULT_DATABASE_URL)
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    monkeypatch.setenv("TFY_ETL_DATABASE_URL", "sqlite:///other.db")
    assert (token_of_environment(), database_url_of_environment()) == (TOKEN, "sqlite:///other.db")
