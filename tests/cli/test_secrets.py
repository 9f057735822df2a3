"""The token and the database's password are nowhere, whatever fails."""

import sqlite3
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import make_url

from etl.simulator import Simulator, fault
from tests.cli.commands import TOKEN
from tests.cli.conftest import Cli

PASSWORD = "p@ss/word-hush"


def tables(path: Path) -> str:
    """All that a database holds, as text."""
    if not path.exists():
        return ""
    database = sqlite3.connect(path)
    held = "\n".join(database.iterdump())
    database.close()
    return held


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize(
    "faults",
    [[], ["forbid"], ["redirect"], ["html_page"], ["flaky_500"], ["reset"], ["bad_json"], ["expired_token_after:3"],
     ["truncated_body,every=3,times=1"]],
    ids=str,
)  # fmt: skip
def test_the_token_shows_nowhere(form: str, faults: list[str], known: Simulator, folder: Path, tfy_etl: Cli) -> None:
    known.faults = [fault(each) for each in faults]
    said = [
        tfy_etl(command, "--max-retries", "1", "--log-level", "debug", "--log-format", form)
        for command in ("sync", "check", "status")
    ]
    assert TOKEN not in "".join(done.out + done.err for done in said)
    assert TOKEN not in tables(folder / "tfy-registry.db")
    assert TOKEN not in "".join(path.name for path in folder.iterdir())


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that repeats the headers it is sent in each answer, as some proxies' error pages do."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f'{{"message": "you sent {self.headers["Authorization"]}"}}'.encode()
            self.send_response(int(self.path.split("/")[1]))
            self.send_header("Location", f"https://login.example/?token={self.headers['Authorization']}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("status", ["200", "302", "400", "401", "403", "404", "422", "500"])
def test_a_server_that_repeats_the_token_does_not_make_it_show(
    status: str, echo: str, folder: Path, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    done = tfy_etl("sync", "--host", f"{echo}/{status}", "--max-retries", "1", "--log-level", "debug")
    assert done.code in {1, 2}
    assert TOKEN not in done.out + done.err + tables(folder / "tfy-registry.db")


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("command", [["sync"], ["check"], ["status", "--output", "json"], ["db", "current"]])
def test_the_password_of_the_database_shows_nowhere(
    command: list[str], migrated_url: str, known: Simulator, tfy_etl: Cli
) -> None:
    named = make_url(migrated_url).set(password=PASSWORD)
    in_query = make_url(migrated_url).update_query_dict({"password": PASSWORD})
    wrong = named.set(database="no_such_database")
    for url in (named, in_query, wrong):
        written = url.render_as_string(hide_password=False)
        done = tfy_etl(*command, "--log-level", "debug", "--database-url", written)
        for spelling in (PASSWORD, "p%40ss"):
            assert spelling not in done.out + done.err


def test_a_token_file_that_holds_no_text_is_not_quoted(known: Simulator, folder: Path, tfy_etl: Cli) -> None:
    (folder / "token").write_bytes(b"hush\xff")
    (folder / "token").chmod(0o600)
    done = tfy_etl("sync", "--api-key-file", "token")
    assert (done.code, done.err) == (2, "Error: Cannot read the token from token: it is not text.\n")
