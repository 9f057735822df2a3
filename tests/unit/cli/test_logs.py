import json
import logging
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.progress import Progress

from etl.cli import logs

SECRET = "hush-hush"


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    yield
    root.handlers, root.level = before, level


Captured = pytest.CaptureFixture[str]


def fail(message: str) -> None:
    raise ValueError(message)


@pytest.mark.parametrize("form", ["console", "json"])
def test_log_lines_go_to_stderr_only(form: str, capsys: Captured) -> None:
    logs.configure(form, "debug", [])
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(logging.getLogger("any.library"), level)("said")
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 5


def test_a_console_line_has_time_level_text_and_logger(capsys: Captured) -> None:
    logs.configure("console", "info", [])
    logging.getLogger("etl.sync.run").info("%d models of %s", 3, "acme")
    time, rest = capsys.readouterr().err.split(" ", 1)
    assert time.endswith("Z")
    assert rest == "[info] 3 models of acme [etl.sync.run]\n"


@pytest.mark.parametrize(
    ("form", "level", "brief"), [("console", "warning", True), ("console", "info", False), ("json", "warning", False)]
)
def test_lines_on_a_terminal_are_brief_unless_info_is_logged(
    form: str, level: str, *, brief: bool, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "on_terminal", lambda: True)
    logs.configure(form, level, [])
    logging.getLogger("etl.sync.run").warning("odd\nname")
    err = capsys.readouterr().err
    assert (err == "Warning: odd\\nname\n") == brief


def test_a_json_line_is_one_object(capsys: Captured) -> None:
    logs.configure("json", "info", [])
    logging.getLogger("etl.sync.run").warning("%d models of %s\nand more", 3, "acme")
    entry = json.loads(capsys.readouterr().err)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {"event": "3 models of acme\nand more", "level": "warning", "logger": "etl.sync.run"}


def test_is_json_returns_whether_log_lines_are_json() -> None:
    found = [logs.is_json()]
    for form in ("json", "console"):
        logs.configure(form, "info", [])
        found.append(logs.is_json())
    assert found == [False, True, False]


def test_lower_levels_are_not_logged(capsys: Captured) -> None:
    logs.configure("console", "warning", [])
    logging.getLogger("etl").info("not this")
    assert capsys.readouterr().err == ""


def test_noisy_libraries_log_warnings_only_even_at_debug(capsys: Captured) -> None:
    logs.configure("console", "debug", [])
    for name in ("httpx", "httpcore.connection", "alembic.runtime.migration", "filelock"):
        logging.getLogger(name).info("chat")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("secret", [SECRET, 'with "quotes" \\ and %', "1", "e", ":"])
def test_no_line_has_a_secret_in_any_encoding_and_json_stays_valid(form: str, secret: str, capsys: Captured) -> None:
    logs.configure(form, "debug", [None, "", secret])
    log = logging.getLogger("x")
    try:
        fail(f"<{secret}>")
    except ValueError:
        log.exception("so: <%s> and <%s>", secret, json.dumps(secret))
    err = capsys.readouterr().err
    line = " ".join(map(str, json.loads(err).values())) if form == "json" else err
    assert f"<{secret}>" not in line
    assert "<***>" in line


def test_the_url_encoded_form_of_a_password_is_redacted(capsys: Captured) -> None:
    logs.configure("console", "debug", ["p@ss/word"])
    logging.getLogger("x").info("postgresql://u:p%40ss%2Fword@host/db")
    assert "postgresql://u:***@host/db" in capsys.readouterr().err


def test_a_traceback_shows_no_variables(capsys: Captured) -> None:
    logs.configure("console", "info", [])
    try:
        fail("not what is " + "in a variable")
    except ValueError:
        logging.getLogger("x").exception("failed")
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.count("in a variable") == 2  # in the source line and in the message, not as the value of `message`


def test_external_text_cannot_forge_a_line_or_move_the_cursor(capsys: Captured) -> None:
    logs.configure("console", "info", [])
    logging.getLogger("x").info("name: %s", "a\n2026 [info] forged\x1b[2J\u202e")
    err = capsys.readouterr().err
    assert r"name: a\n2026 [info] forged\x1b[2J\u202e" in err
    assert len(err.splitlines()) == 1


def test_log_lines_follow_a_replaced_stderr(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure("console", "info", [])
    monkeypatch.setenv("TERM", "xterm")
    with Progress(console=Console(stderr=True, force_terminal=True, width=100)):
        assert type(sys.stderr).__name__ == "FileProxy"
        logging.getLogger("x").info("above the bars")
    assert "above the bars [x]" in capsys.readouterr().err


def test_an_uncaught_error_is_logged_without_secrets(capsys: Captured) -> None:
    logs.configure("json", "info", [SECRET])
    try:
        fail(f"quotes {SECRET}")
    except ValueError as error:
        logs.log_uncaught(ValueError, error, error.__traceback__)
    entry = json.loads(capsys.readouterr().err)
    assert entry["level"] == "critical"
    assert "ValueError: quotes ***" in entry["exception"]
