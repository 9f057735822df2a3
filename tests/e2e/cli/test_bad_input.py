"""Mistakes of operators give one error line with the next step, and the right exit code."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from sqlalchemy import column, table, text, update

from etl.models import VERSION_TABLE
from etl.simulator import Registry, Simulator, fault
from etl.store import engine_scope, open_engine, schema
from tests.e2e.cli.commands import COMMAND, TOKEN, execute
from tests.e2e.cli.conftest import Cli
from tests.support.preloaded_command import Done

UNREACHABLE = "http://127.0.0.1:9"
NO_RETRIES = {"TFY_ETL_MAX_RETRIES": "0", "TFY_ETL_LOG_LEVEL": "error"}


def sync(*arguments: str, **environment: str) -> Done:
    """Run the real command without retries, and log errors only."""
    return execute(COMMAND, "sync", *arguments, cwd=Path.cwd(), env=NO_RETRIES | environment)


def assert_error_line(done: Done, code: int, *words: str) -> None:
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("Error: ")
    assert done.err.count("\n") == 1
    for each in words:
        assert each in done.err


def test_a_missing_host_is_an_error() -> None:
    assert_error_line(sync(TFY_API_KEY=TOKEN), 2, "No host is set: set TFY_HOST or --host to")


def test_a_missing_token_is_an_error() -> None:
    assert_error_line(sync(TFY_HOST=UNREACHABLE), 2, "No token is set: set TFY_API_KEY", "--api-key-file")


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("https://", "is not a valid URL"),
        ("ftp://plane.example", "is not a valid URL"),
        ("http:/plane.example", "is not a valid URL"),
        ("https://plane.example:99999", "is not a valid URL"),
        ("https://[::1", "is not a valid URL"),
        ("https://two words.example", "is not a valid URL"),
        ("https://plane.example/?tab=models", "query or fragment"),
        ("https://me:hush@plane.example", "must not contain a user or password"),
        ("https://a..b", "check both for invalid characters"),
        ("http://plane.example", "Plain HTTP to plane.example would send the token unencrypted"),
    ],
)
def test_an_invalid_host_is_an_error(host: str, words: str, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    done = tfy_etl("sync", "--log-level", "error", "--host", host)
    assert_error_line(done, 2, words)
    assert "hush" not in done.err


def test_an_unreachable_host_is_an_error() -> None:
    done = sync(TFY_HOST=UNREACHABLE, TFY_API_KEY=TOKEN)
    assert_error_line(
        done, 1, "Nothing listens on port 9 of 127.0.0.1 (connection refused): check the port and the scheme"
    )


def test_an_unreachable_host_is_retried_once(tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    done = tfy_etl("sync", "--host", UNREACHABLE)
    assert done.code == 1
    assert done.err.count("trying again in 0.5 s") == 1


def test_the_example_host_of_the_docs_is_an_error() -> None:
    done = sync(TFY_HOST="https://your-control-plane.example", TFY_API_KEY=TOKEN)
    assert_error_line(
        done, 2, "https://your-control-plane.example is only an example: set TFY_HOST or --host to the URL"
    )


def test_a_missing_http_scheme_is_suggested(ready: Simulator, tfy_etl: Cli) -> None:
    address = ready.url.removeprefix("http://")
    done = tfy_etl("sync", "--log-level", "error", "--host", address)
    assert_error_line(done, 2, f"{address} answers, but not in https", f"set TFY_HOST or --host to http://{address}")
    assert tfy_etl("sync").code == 0
    done = tfy_etl("sync", "--log-level", "error", "--host", address)
    assert_error_line(done, 2, f"filled from {ready.url}, and not from https://{address}: check the scheme in TFY_HOST")
    assert "--accept-host" not in done.err


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_plane(authority: trustme.CA, registry: Registry, folder: Path) -> Iterator[Simulator]:
    """A control plane with TLS; `ca.pem` is the CA of its certificate, `other.pem` another CA."""
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "other.pem")
    with Simulator(registry, token=TOKEN, tls=(folder / "cert.pem", folder / "key.pem")) as simulator:
        yield simulator


@pytest.mark.parametrize("arguments", [[], ["--ca-bundle", "other.pem"]])
def test_an_untrusted_certificate_is_an_error(arguments: list[str], tls_plane: Simulator) -> None:
    done = sync(*arguments, TFY_HOST=tls_plane.url, TFY_API_KEY=TOKEN)
    assert_error_line(done, 1, f"The certificate of {tls_plane.url} is not trusted", "--ca-bundle")
    assert tls_plane.log == []


@pytest.mark.parametrize("name", ["TFY_ETL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_that_the_named_authority_signed_is_trusted(
    name: str, tls_plane: Simulator, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "ca.pem")
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    assert tfy_etl("sync", "--host", tls_plane.url).code == 0


def test_an_invalid_ca_file_is_an_error(plane: Simulator, folder: Path) -> None:
    (folder / "ca.pem").write_text("no certificate")
    done = sync("--ca-bundle", "ca.pem", TFY_HOST=plane.url, TFY_API_KEY=TOKEN)
    assert_error_line(done, 2, "Cannot read the CA file ca.pem")


def test_a_wrong_token_is_tried_once(plane: Simulator) -> None:
    done = sync("--max-retries", "5", TFY_HOST=plane.url, TFY_API_KEY="another-token")
    assert_error_line(done, 2, "refused the token (401)", "TFY_API_KEY")
    assert len(plane.log) == 1


def test_a_token_without_permission_is_an_error(plane: Simulator) -> None:
    plane.faults = [fault("forbid")]
    assert_error_line(sync(TFY_HOST=plane.url, TFY_API_KEY=TOKEN), 2, "403", "the token may not read this")


def test_a_login_page_with_status_200_is_an_error(plane: Simulator) -> None:
    plane.faults = [fault("html_page")]
    done = sync(TFY_HOST=plane.url, TFY_API_KEY=TOKEN)
    assert_error_line(done, 2, "does not answer like a control plane", "it may be a login page", "--host")


def test_a_redirect_to_a_login_is_an_error(plane: Simulator) -> None:
    plane.faults = [fault("redirect")]
    assert_error_line(sync(TFY_HOST=plane.url, TFY_API_KEY=TOKEN), 2, "redirects", "elsewhere.example", "--host")


def test_a_host_without_a_control_plane_is_an_error(plane: Simulator) -> None:
    plane.prefixes = ()
    done = sync(TFY_HOST=plane.url, TFY_API_KEY=TOKEN)
    assert_error_line(done, 2, "does not answer like a control plane below /api/ml/v1 or /api/svc/v1")


def test_a_host_that_contains_the_api_prefix_is_an_error(plane: Simulator) -> None:
    done = sync(TFY_HOST=f"{plane.url}/api/ml/v1", TFY_API_KEY=TOKEN)
    assert_error_line(done, 2, "Remove /api/ml/v1 from TFY_HOST or --host")


def test_a_misspelt_variable_is_a_warning_and_has_no_effect(plane: Simulator) -> None:
    misspelt = {"TFY_ETL_PAGESIZE": "5", "TFY_ETL_API_KEY": "x", "TFY_ETL_QQQ": "1", "TFY_ETL_LOG_LEVEL": "warning"}
    done = sync(TFY_HOST=plane.url, TFY_API_KEY=TOKEN, **misspelt)
    assert done.code == 0
    assert "TFY_ETL_PAGESIZE is unknown: did you mean TFY_ETL_PAGE_SIZE?" in done.err
    assert "TFY_ETL_API_KEY is unknown: did you mean TFY_API_KEY?" in done.err
    assert "TFY_ETL_QQQ is unknown [" in done.err


def test_an_unknown_ml_repo_is_an_error(plane: Simulator) -> None:
    done = sync("--ml-repo", "no-such", TFY_HOST=plane.url, TFY_API_KEY=TOKEN)
    assert_error_line(
        done, 2, "The control plane has no ML repo with the id 'no-such': it lists 1 (risk), 2 (marketing)."
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--page-size", "0"], "--page-size must be at least 1, not 0."),
        (["--max-delete-share", "1.5"], "--max-delete-share must be between 0 and 1, not 1.5."),
        (["--max-delete-share", "nan"], "--max-delete-share must be between 0 and 1, not nan."),
        (["--database-url", "oracle://u:hush@h/d"], "No database of the kind 'oracle' is supported: use one of"),
        (["--database-url", "registry.db"], "The database URL cannot be read: write sqlite:///file.db"),
        (["--database-url", "postgresql://u:hu@sh@h/d"], "more than one @: write the one in the password as %40"),
        (["--database-url", "postgresql+asyncpg://h/d"], "The driver of postgresql+asyncpg:// is not installed: use"),
        (["--database-url", "sqlite+pysqlcipher:///x.db"], "is not installed: use sqlite://."),
        (["--database-url", "postgresql+none://h/d"], "postgresql+none"),
        (["--database-url", "sqlite:///no/such/folder.db"], "The folder no/such does not exist: create it, or"),
        (["--database-url", "sqlite:////proc/registry.db"], "Cannot write beside /proc/registry.db"),
        (["--database-url", "sqlite:////proc"], "/proc is a folder: name a file"),
        (["--database-url", "sqlite:///text.db"], "text.db is not a valid SQLite database (file is not a database)"),
        (["--database-url", "sqlite:///text.db/x.db"], "The folder text.db does not exist"),
        (["--database-url", "sqlite:///torn.db"], "torn.db is not a valid SQLite database"),
    ],
)
def test_an_invalid_setting_or_database_is_an_error(
    arguments: list[str], words: str, ready: Simulator, folder: Path, tfy_etl: Cli
) -> None:
    (folder / "text.db").write_text("a text of some length")
    (folder / "torn.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    done = tfy_etl("sync", "--log-level", "error", *arguments)
    assert_error_line(done, 2, words)
    assert "hu" not in done.err


def test_a_missing_driver_names_the_extra(folder: Path) -> None:
    script = "import sys; sys.modules['psycopg'] = None; from etl.cli import main; main()"
    python = Path(COMMAND).with_name("python")
    url = "postgresql://host/db"
    done = execute(python, "-c", script, "db", "current", "--database-url", url, cwd=folder)
    assert_error_line(
        done, 2, "PostgreSQL needs the extra 'postgres', which is not installed: run pip install '.[postgres]'"
    )


def _without_privileges(*command: str) -> list[str]:
    """Drop root's privileges, so that permissions apply even if root runs the tests."""
    drop = "-dac_override,-dac_read_search"
    return [*(["setpriv", "--bounding-set", drop] if os.geteuid() == 0 else []), *command]


@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_an_inaccessible_folder_is_an_error(mode: int, plane: Simulator, folder: Path) -> None:
    (folder / "closed").mkdir(mode=mode)
    environment = {"TFY_HOST": plane.url, "TFY_API_KEY": TOKEN, "TFY_ETL_DATABASE_URL": "sqlite:///closed/r.db"}
    done = execute(*_without_privileges(COMMAND, "sync"), cwd=folder, env=environment | NO_RETRIES)
    assert_error_line(done, 2, "closed/r.db", "ermission")


@pytest.mark.parametrize("command", ["sync", "status"])
def test_an_unreadable_database_is_an_error(command: str, ready: Simulator, folder: Path, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    (folder / "tfy-registry.db").chmod(0)
    done = execute(*_without_privileges(COMMAND, command), cwd=folder, env=NO_RETRIES)
    assert_error_line(done, 2, "Cannot read tfy-registry.db (Permission denied): fix its permissions.")


def test_a_demo_in_a_read_only_folder_is_an_error(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o500)
    done = execute(*_without_privileges(COMMAND, "demo"), cwd=folder / "closed")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "ermission" in done.err


def test_an_unreachable_database_server_is_an_error(ready: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--log-level", "error", "--database-url", "postgresql://u:hush@127.0.0.1:9/d")
    assert_error_line(done, 1, "PostgreSQL does not answer: ", "Connection refused")
    assert "hush" not in done.err


def test_a_database_with_foreign_tables_only_requires_db_upgrade(
    database_url: str, ready: Simulator, tfy_etl: Cli
) -> None:
    with engine_scope(database_url) as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    done = tfy_etl("sync", "--log-level", "error", "--database-url", database_url)
    assert_error_line(done, 2, "The schema has tables already, and none of tfy-etl: run tfy-etl db upgrade")
    assert tfy_etl("db", "upgrade", "--database-url", database_url).code == 0
    assert tfy_etl("sync", "--log-level", "error", "--database-url", database_url).code == 0


def test_an_older_schema_is_migrated_in_a_file_and_refused_on_a_server(
    migrated_url: str, ready: Simulator, tfy_etl: Cli
) -> None:
    engine = open_engine(migrated_url)
    schema.downgrade(engine, "-1")
    done = tfy_etl("sync", "--log-level", "error", "--database-url", migrated_url)
    if migrated_url.startswith("sqlite"):
        assert (done.code, schema.current(engine)) == (0, schema.head())
    else:
        assert_error_line(done, 2, f"this release needs {schema.head()}: run tfy-etl db upgrade.")
    engine.dispose()


@pytest.mark.parametrize("command", [["sync"], ["status"], ["db", "upgrade"], ["db", "check"]])
def test_a_newer_schema_is_refused(command: list[str], migrated_url: str, ready: Simulator, tfy_etl: Cli) -> None:
    engine = open_engine(migrated_url)
    with engine.begin() as connection:
        connection.execute(update(table(VERSION_TABLE, column("version_num"))).values(version_num="9999"))
    engine.dispose()
    done = tfy_etl(*command, "--log-level", "error", "--database-url", migrated_url)
    assert_error_line(done, 2, "The database is at revision 9999, which this release", "upgrade tfy-etl")
