"""The server: queries, access control and shutdown."""

import signal
import socket
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from etl.explore.description import TABLES, VIEWS, joins, metadata
from etl.explore.queries import QUERIES
from etl.store import queries
from tests.e2e.cli.commands import TOKEN
from tests.e2e.explore.conftest import MARKUP as MARKED_METRIC
from tests.e2e.explore.conftest import Explored, exploring
from tests.support.patience import patience

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"


def answers(explored: Explored, name: str, **parameters: str) -> list[dict[str, object]]:
    found = httpx.get(f"{explored.url}/{name}.json", params={"_shape": "array", **parameters}, timeout=patience())
    assert found.status_code == 200, found.text
    return list(found.json())


def test_no_query_has_the_name_of_a_table_or_view() -> None:
    assert {query.name for query in QUERIES}.isdisjoint({*TABLES, *VIEWS})


def test_every_column_of_every_table_and_view_is_described() -> None:
    tables = metadata("r")["databases"]["r"]["tables"]
    for table in (*TABLES.values(), *VIEWS.values()):
        assert tables[table.name]["description"]
        assert tables[table.name]["columns"].keys() == {column.name for column in table.columns}


def test_a_column_that_is_said_to_hold_the_id_of_a_table_is_joined_with_it() -> None:
    for table in (*TABLES.values(), *VIEWS.values()):
        said = {
            column.name: other
            for column in table.columns
            if column.comment and column.name != "id"
            for other in TABLES
            if column.comment.startswith(f"{other}.id")
        }
        assert joins()[table.name] == said


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_query_runs_without_parameters(query: object, explored: Explored) -> None:
    answers(explored, query.name)  # type: ignore[attr-defined]


def test_queries_use_their_parameters(explored: Explored) -> None:
    registry = explored.env.registry
    assert answers(explored, "stale_for_days", days="-1") != []
    assert answers(explored, "stale_for_days", days="36500") == []
    (given,) = answers(explored, "tags_at", tag="given-lately")
    assert answers(explored, "tags_at", tag="given-lately", at="2020-01-01") == []
    assert answers(explored, "tags_at", tag="given-lately", at="2099-01-01T00:00") == [given]
    assert answers(explored, "tags_at", tag="given-lately", at="no time") == []
    assert [row["tag"] for row in answers(explored, "registry_at", at="2099-01-01")].count("given-lately") == 1
    assert answers(explored, "registry_at", at="2020-01-01") == []
    assert [row["new_value"] for row in answers(explored, "what_changed") if row["kind"] == "tag_added"] != []
    assert answers(explored, "what_changed", model="no such") == []
    repos = {record["manifest"]["name"] for record in registry.records("ml-repos")}
    assert {row["ml_repo_name"] for row in answers(explored, "in_production")} <= repos
    assert answers(explored, "in_production", ml_repo="no such") == []
    (package, *_) = [row["name"] for row in answers(explored, "package_usage") if row["name"]]
    assert answers(explored, "versions_with_package", package=f" {str(package).upper()} ") != []
    values = [row["value"] for row in answers(explored, "best_versions", metric=MARKED_METRIC)]
    assert values == [0.5]


def test_nothing_can_be_written(explored: Explored) -> None:
    before = explored.env.dump()
    for sql in (
        "DELETE FROM models",
        "WITH x AS (SELECT 1) DELETE FROM models",
        "ATTACH '/etc/passwd' AS other",
        "PRAGMA query_only = 0",
        "VACUUM INTO '/tmp/elsewhere.db'",
        "SELECT 1; DELETE FROM models",
    ):
        assert httpx.get(f"{explored.url}.json", params={"sql": sql}, timeout=patience()).status_code == 400, sql
    assert (
        httpx.post(f"{explored.url}/models", data={"sql": "DELETE FROM models"}, timeout=patience()).status_code >= 400
    )
    assert explored.env.dump() == before


def test_the_connection_itself_can_neither_write_nor_open_another_file(migrated_file: Path, tmp_path: Path) -> None:
    connection = queries.explore.connect(migrated_file)
    for sql in ("DELETE FROM models", f"ATTACH '{tmp_path / 'other.db'}' AS other", f"VACUUM INTO '{tmp_path / 'x'}'"):
        with pytest.raises(sqlite3.OperationalError):
            connection.execute(sql)
    connection.close()
    assert list(tmp_path.iterdir()) == []


def test_no_address_shows_the_token_or_a_file(explored: Explored) -> None:
    host = explored.url.rpartition("/")[0]
    for path in ("versions", "plugins", "settings", "threads", "databases", "metadata", "actor"):
        assert TOKEN not in httpx.get(f"{host}/-/{path}.json", timeout=patience()).text
    for path in (
        "-/static/../../../../../../etc/passwd",
        "-/static/%2e%2e/%2e%2e/app.py",
        "odd%20%231.db",
        "registry.db",
    ):
        assert httpx.get(f"{host}/{path}", timeout=patience()).status_code in {403, 404}


def test_foreign_host_headers_are_rejected(explored: Explored) -> None:
    host = explored.url.rpartition("/")[0]
    port = host.rpartition(":")[2]
    for name, status in ((f"localhost:{port}", 200), ("localhost", 200), ("evil.example", 403), (f"a.b:{port}", 403)):
        assert httpx.get(host, headers={"Host": name}, timeout=patience()).status_code == status
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))  # an address of this machine at which nobody listens for us
        assert other.connect_ex(("127.0.0.2", int(port))) != 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("busy", [False, True])
def test_signal_stops_the_server_during_a_query(number: signal.Signals, *, busy: bool, explored: Explored) -> None:
    with exploring(explored.env.url) as (process, url):
        assert httpx.get(f"{url}.json", timeout=patience()).status_code == 200
        asked = threading.Thread(target=ask, args=(url,)) if busy else None
        if asked:
            asked.start()
        process.send_signal(number)
        assert process.wait(patience()) == 0
        if asked:
            asked.join()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def ask(url: str) -> None:
    """Run an endless query, and ignore the closed connection."""
    with suppress(httpx.HTTPError):
        httpx.get(f"{url}.json", params={"sql": ENDLESS}, timeout=patience())
