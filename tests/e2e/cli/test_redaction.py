"""The token and the database password are in no output, after any failure."""

import base64
import json
import sqlite3
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest
from sqlalchemy import make_url

from etl.simulator import FAULTS, Registry, Simulator, fault
from tests.e2e.cli.commands import TOKEN
from tests.e2e.cli.conftest import Cli
from tests.support.spellings import SPELLINGS, repeated

PASSWORD = "p@ss/word-hush"
ODD_TOKEN = r"""ey"J+/a%20b&c<d>\'e=f"""
"""A token that differs in every encoding."""
USUAL_TOKEN = "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0-_dXJl"

ECHOES: dict[str, Callable[[str], str]] = SPELLINGS | {
    "as a header in capitals": lambda token: f"AUTHORIZATION: BEARER {token}".upper(),
    "as JSON in JSON": lambda token: json.dumps(json.dumps({"token": token})),
    "as JSON in base64": lambda token: base64.urlsafe_b64encode(json.dumps([token]).encode()).decode(),
    "cut off in the middle": lambda token: " " * 32_745 + token,
}
USUAL_ENCODINGS = {
    *("as it is", "with its scheme", "in capitals", "as a header in capitals", "in a URL", "in a path", "in a form"),
    *("in HTML", "in JSON", "in base64", "in base64 with its scheme", "cut off in the middle"),
}
"""The encodings in which any token is redacted, even one with many special characters."""
STATUSES = ("200", "302", "400", "401", "403", "404", "422", "429", "500")


def database_dump(path: Path) -> str:
    """The content of a database as SQL text."""
    if not path.exists():
        return ""
    database = sqlite3.connect(path)
    dump = "\n".join(database.iterdump())
    database.close()
    return dump


def fragments(token: str) -> list[str]:
    """The parts of a token that no text may contain: any eight characters of it, and of its base64."""
    whole = [token, *(base64.b64encode(bytes(before) + token.encode()).decode()[4:-4] for before in range(3))]
    return [text[start : start + 8] for text in whole for start in range(len(text) - 7)]


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("faults", [[], ["reset,times=1"], ["flaky_500"]], ids=str)
def test_the_token_is_in_no_output(form: str, faults: list[str], ready: Simulator, folder: Path, tfy_etl: Cli) -> None:
    ready.faults = [fault(each) for each in faults]
    output = [
        tfy_etl(command, "--max-retries", "1", "--log-level", "debug", "--log-format", form)
        for command in ("sync", "check", "status")
    ]
    assert TOKEN not in "".join(done.out + done.err for done in output)
    assert TOKEN not in database_dump(folder / "tfy-registry.db")
    assert TOKEN not in "".join(path.name for path in folder.iterdir())


def test_the_token_is_in_no_output_with_any_fault_of_the_control_plane(
    ready: Simulator, folder: Path, tfy_etl: Cli
) -> None:
    for spec in (*(f"{name},every=3" for name in FAULTS), "forbid:models", "expired_token_after:3"):
        ready.faults = [fault(spec)]
        done = tfy_etl("sync", "--max-retries", "0", "--timeout", "0.2", "--log-level", "debug")
        assert TOKEN not in done.out + done.err
    assert TOKEN not in database_dump(folder / "tfy-registry.db")


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that echoes the token in the encoding that the path names, as some proxies do."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, status, form, number, *_ = self.path.split("/")
            encoded = list(ECHOES.values())[int(number)](self.headers["Authorization"].removeprefix("Bearer "))
            body = FORMS[form](f"you sent {encoded}").encode()
            self.send_response(int(status))
            self.send_header("Location", f"https://login.example/{quote(encoded[-50:])}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


FORMS: dict[str, Callable[[str], str]] = {
    "page": str,
    "error": lambda text: json.dumps({"statusCode": 400, "message": text}),
    "detail": lambda text: json.dumps({"detail": [{"loc": ["header"], "msg": text, "type": "odd"}]}),
}
"""The page of a proxy, and the two formats of API errors."""


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("spelling", ECHOES)
def test_a_token_that_the_server_echoes_in_any_encoding_is_redacted(
    spelling: str, echo: str, folder: Path, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = ODD_TOKEN if spelling in USUAL_ENCODINGS else USUAL_TOKEN
    monkeypatch.setenv("TFY_API_KEY", token)
    output = ""
    number = list(ECHOES).index(spelling)
    encoded = ECHOES[spelling](token).strip()
    page_cases = [(status, "page") for status in STATUSES]
    for status, form in (
        page_cases if spelling in USUAL_ENCODINGS else [("302", "page"), ("400", "error"), ("500", "detail")]
    ):
        host = f"{echo}/{status}/{form}/{number}"
        done = tfy_etl("sync", "--host", host, "--max-retries", "0", "--log-level", "debug")
        assert done.code in {1, 2}
        output += done.out + done.err
    output += database_dump(folder / "tfy-registry.db")
    in_capitals = output.upper()
    assert [fragment for fragment in fragments(token) if fragment.upper() in in_capitals] == []
    assert spelling not in SPELLINGS or repeated(encoded, output) == []


def test_an_api_error_is_shown_and_any_other_body_is_not(
    echo: str, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_API_KEY", "none-of-it-is-repeated")
    number = list(ECHOES).index("in hexadecimal")
    monkeypatch.setitem(ECHOES, "in hexadecimal", lambda _: "a bad request")
    output = [tfy_etl("sync", "--host", f"{echo}/400/{form}/{number}", "--max-retries", "0").err for form in FORMS]
    assert ["you sent a bad request" in each for each in output] == [False, True, True]
    assert "(400 Bad Request: header: you sent a bad request)" in output[2]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("command", [["sync"], ["check"], ["status", "--output", "json"], ["db", "current"]])
def test_the_database_password_is_in_no_output(
    command: list[str], migrated_url: str, ready: Simulator, tfy_etl: Cli
) -> None:
    named = make_url(migrated_url).set(password=PASSWORD)
    in_query = make_url(migrated_url).update_query_dict({"password": PASSWORD, "sslpassword": PASSWORD})
    wrong = named.set(database="no_such_database")
    for url in (named, in_query, wrong):
        url_text = url.render_as_string(hide_password=False)
        done = tfy_etl(*command, "--log-level", "debug", "--database-url", url_text)
        for spelling in (PASSWORD, "p%40ss"):
            assert spelling not in done.out + done.err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:{}@127.0.0.1:1/db",
        "postgresql://u:{}@127.0.0.1:port/db",
        "postgresql://u:p@{}@127.0.0.1:1/db",
        "postgresql://u:{}@127.0.0.1:1/db?sslmode=none",
        "postgresql://u@127.0.0.1:1/db?password={}&nonsense=1",
        "postgresql://u@127.0.0.1:1/db?connect_timeout={0}&password={0}",
        "postgresql:/u:{}@127.0.0.1:1/db",
        "postgresql+nothing://u:{}@127.0.0.1:1/db",
        "mysql://u:{}@127.0.0.1:1/db",
        "sqlite://u:{}@host/file.db",
        "u:{}@127.0.0.1/db",
    ],
)
@pytest.mark.parametrize("by", ["option", "config"])
def test_the_error_of_an_unreachable_database_has_no_password(
    by: str, url: str, folder: Path, tfy_etl: Cli, ready: Simulator
) -> None:
    for password in ("hush-hush", r"hu%27sh%5C%22hush", "hu%DFsh-hush"):
        url_text = url.format(password)
        (folder / "config.toml").write_text(f"database-url = '{url_text}'\n", encoding="utf-8")
        arguments = ("--database-url", url_text) if by == "option" else ("--config", "config.toml")
        done = tfy_etl("sync", *arguments, "--log-level", "debug")
        assert done.code in {1, 2}
        assert done.err.splitlines()[-1].startswith("Error: ")
        assert "Traceback" not in done.err
        assert "hush" not in done.out + done.err


def test_a_password_that_is_a_common_word_leaves_other_text_intact(tfy_etl: Cli) -> None:
    done = tfy_etl("db", "current", "--database-url", "postgresql://admin:postgres@127.0.0.1:1/postgres")
    assert done.err.startswith("Error: PostgreSQL does not answer: ")


@pytest.mark.parametrize("password", ["true", "null", "name", "detail", "database", "default"])
def test_a_password_that_is_a_word_of_json_leaves_the_rest_intact(
    password: str, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_ETL_DATABASE_URL", f"postgresql://etl:{password}@127.0.0.1:1/x")
    checks = json.loads(tfy_etl("check", "--output", "json").out)["checks"]
    assert ("database", False) in {(each["name"], each["ok"]) for each in checks}
    assert {tuple(each) for each in checks} == {("name", "ok", "detail", "fix")}
    settings = {
        each["name"]: each for each in json.loads(tfy_etl("config", "show", "--output", "json").out)["settings"]
    }
    assert settings["database-url"]["value"] == "postgresql://etl:****@127.0.0.1:1/x"
    assert settings["include-empty"] == {"name": "include-empty", "value": True, "source": "default", "origin": None}


def test_a_record_with_the_token_is_stored_exactly_and_printed_redacted(
    ready: Simulator, registry: Registry, folder: Path, tfy_etl: Cli
) -> None:
    registry.put_raw("model-versions", "odd", {"name": f"by {TOKEN}", "id": None})
    registry.put_raw("models", TOKEN, registry.get("models", registry.ids("models")[0]) | {"id": TOKEN})
    registry.set_fields("2", {"manifest": {"name": TOKEN}, "nobody_knows": TOKEN})
    loaded = tfy_etl("sync")
    for model in registry.records("models"):
        if model["ml_repo_id"] == "2":
            registry.delete_model(model["id"])
    done = [
        tfy_etl(*command, "--log-level", "debug")
        for command in (
            ["sync", "--dry-run", "--allow-mass-delete"],
            ["sync", "--output", "json", "--allow-mass-delete"],
            ["sync", "--ml-repo", "9"],
            ["status", "--output", "json"],
            ["sync", "--ml-repo", TOKEN],
            ["sync", "--dry-run", "--fqn", TOKEN],
            ["status"],
            ["check"],
            ["rejected", "list"],
            ["rejected", "show", "1"],
            ["rejected", "retry"],
        )
    ]
    assert [each.code for each in (loaded, *done)] == [3, 3, 3, 2, 0, 2, 0, 0, 0, 0, 0, 3]
    assert "***" in done[1].out
    assert "***" in done[3].out
    assert [each for each in (loaded, *done) if TOKEN in each.out + each.err] == []
    assert database_dump(folder / "tfy-registry.db").count(TOKEN) >= 4


@pytest.mark.parametrize("spelling", ["in hexadecimal", "separated by zero-width spaces", "its first two thirds"])
def test_a_record_with_the_encoded_token_is_quoted_in_no_error(
    spelling: str, ready: Simulator, registry: Registry, folder: Path, tfy_etl: Cli
) -> None:
    encoded = SPELLINGS[spelling](TOKEN)
    registry.set_fields("2", {"manifest": {"name": encoded}})
    done = tfy_etl("sync", "--ml-repo", "9")
    assert done.code == 2
    assert repeated(encoded, done.out + done.err + database_dump(folder / "tfy-registry.db")) == []


def test_a_token_file_with_binary_content_is_not_quoted(ready: Simulator, folder: Path, tfy_etl: Cli) -> None:
    (folder / "token").write_bytes(b"hush\xff")
    (folder / "token").chmod(0o600)
    done = tfy_etl("sync", "--api-key-file", "token")
    assert (done.code, done.err) == (2, "Error: Cannot read the token from token: it is not UTF-8 text.\n")


@pytest.mark.parametrize("token", ["eyJ.hush.hush", "eyJ" + "hush" * 100])
def test_a_token_given_as_the_token_file_is_not_quoted(
    token: str, tfy_etl: Cli, plane: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_API_KEY_FILE", token)
    done = tfy_etl("sync", "--host", plane.url)
    assert done.code == 2
    assert done.err.startswith("Error: Cannot read the token from the file named by --api-key-file or TFY_API_KEY_FILE")
    assert "hush" not in done.err


def test_a_folder_given_as_the_token_file_is_an_error(ready: Simulator, folder: Path, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--api-key-file", str(folder))
    assert (done.code, done.err) == (2, f"Error: Cannot read the token from {folder}: Is a directory.\n")


@pytest.mark.parametrize("argument", [TOKEN, f"--{TOKEN}", f"--timeout={TOKEN}", f"--ca-bundle={TOKEN}"])
def test_a_token_on_the_command_line_is_not_echoed(argument: str, ready: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", argument)
    assert done.code == 2
    assert TOKEN not in done.err


@pytest.mark.parametrize("host", ["https://u:hush@plane.example", "http:/u:hush@plane.example", "u:hush@plane.example"])
def test_a_password_in_the_host_is_not_echoed(host: str, tfy_etl: Cli, ready: Simulator) -> None:
    done = tfy_etl("sync", "--host", host)
    assert (done.code, done.err) == (
        2,
        "Error: The host must not contain a user or password: set the token in TFY_API_KEY or --api-key-file.\n",
    )
