"""Error messages in Airflow name connections, their fields, and options of operators."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from etl.airflow.hook import TrueFoundryHook
from etl.setting_names import name_of
from etl.settings import Settings
from etl.simulator import Simulator, fault
from etl.store import ALL_REPOS, Store
from tests.e2e.airflow.conftest import Connect
from tests.e2e.airflow.running import context, operator
from tests.support.sync_env import TOKEN, SyncEnv

COMMAND_LINE_NAME = re.compile(r"(?<!\w)--[a-z]|TFY_|command line")

pytestmark = pytest.mark.usefixtures("_outside_worker")


@pytest.fixture
def _outside_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True, raising=False)


@pytest.fixture
def plane_with(env: SyncEnv, connect: Connect) -> Any:
    """Define the connection `plane` again, with other fields."""

    def define(**fields: Any) -> None:
        connect("plane", **{"conn_type": "truefoundry", "host": env.plane.url, "password": TOKEN} | fields)

    return define


@pytest.fixture
def untrusted_plane(env: SyncEnv, tmp_path: Path) -> Iterator[Simulator]:
    """A control plane with a self-signed certificate."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with Simulator(env.registry, token=TOKEN, tls=(tmp_path / "cert.pem", tmp_path / "key.pem")) as plane:
        yield plane


def message(**arguments: Any) -> str:
    """The message of a sync that fails."""
    with pytest.raises(AirflowException) as raised:
        operator(**arguments).execute(context())
    assert TOKEN not in str(raised.value)
    return str(raised.value)


def assert_names(text: str, *parts: str) -> None:
    assert COMMAND_LINE_NAME.search(text) is None
    for part in parts:
        assert part in text


HOST = "the field Control plane (host) of the connection 'plane'"
PASSWORD = "the field Token (password) of the connection 'plane'"


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"host": None}, ("No host is set", f"set {HOST} to https://")),
        ({"password": None}, ("No token is set", f"set {PASSWORD}")),
        ({"host": None, "password": None}, ("No host and no token are set", HOST, PASSWORD)),
        ({"password": "another-token"}, ("refused the token (401)", f"a valid token in {PASSWORD}")),
        ({"host": "http://plane.example"}, ("unencrypted", "the field Allow plain HTTP (allow_insecure_http)")),
        ({"host": "https://no-such-host.invalid"}, ("is only an example", f"set {HOST}")),
        ({"host": "http://127.0.0.1:9"}, ("Nothing listens on port 9", HOST)),
        ({"host": "https://a:b@plane.example"}, ("must not contain a user", PASSWORD)),
        ({"host": "https://plane.example/api/ml/v1"}, ("Remove /api/ml/v1 from", HOST, "(api_prefix)")),
        ({"extra": {"api_prefix": "/wrong"}}, ("does not answer like a control plane", "API prefix (api_prefix)")),
        ({"extra": {"ca_bundle": "/no/such/file.pem"}}, ("Cannot read the CA file /no/such/file.pem",)),
    ],
)
def test_a_mistake_in_the_connection_names_its_field(fields: dict[str, Any], parts: Any, plane_with: Any) -> None:
    plane_with(**fields)
    assert_names(message(), *parts)
    works, text = TrueFoundryHook("plane").test_connection()
    assert not works
    assert_names(text, *parts)


def test_an_untrusted_certificate_names_the_field_of_the_ca_file(untrusted_plane: Simulator, plane_with: Any) -> None:
    plane_with(host=untrusted_plane.url)
    assert_names(message(), "is not trusted", "the field CA bundle (ca_bundle) of the connection 'plane'")


def test_an_outdated_schema_names_the_command_that_migrates_it(env: SyncEnv) -> None:
    env.execute("UPDATE tfy_etl_version SET version_num = '0001'")
    assert_names(message(), "run tfy-etl db upgrade")


def test_a_missing_schema_names_the_option(env: SyncEnv, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    (tmp_path / "registry.db").touch()
    text = message(database_conn_id=None, database_url=url, options={"dry_run": True})
    assert_names(text, "no tables of tfy-etl yet", "without the option dry_run")


def test_a_missing_folder_names_the_argument_or_the_connection(env: SyncEnv, connect: Connect, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/missing/registry.db"
    assert_names(message(database_conn_id=None, database_url=url), "or change the argument database_url")
    connect("registry_db", conn_type="sqlite", host=f"{tmp_path}/missing/registry.db")
    assert_names(message(), "or change the connection 'registry_db'")


def test_a_database_server_that_does_not_answer_names_the_connection(env: SyncEnv, connect: Connect) -> None:
    connect("registry_db", conn_type="postgres", host="127.0.0.1", port=9, login="etl", schema="registry")
    assert_names(message(), "PostgreSQL does not answer", "host and port in the connection 'registry_db'")


def test_the_database_of_another_control_plane_names_options(env: SyncEnv, plane_with: Any) -> None:
    env.sync()
    with Simulator(env.registry, token=TOKEN) as other:
        plane_with(host=other.url)
        text = message()
    schema = "options=-csearch_path=NAME in the connection 'registry_db'"
    assert_names(text, schema, "another database (the connection 'registry_db')", HOST, "the option accept_host")


def test_too_many_deletes_name_the_option(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_ml_repo("1")
    assert_names(message(), "run again with the option allow_mass_delete")


def test_coverage_that_shrinks_names_the_option(env: SyncEnv) -> None:
    env.sync()
    env.plane.offers = frozenset({"models", "ml-repos"})
    assert_names(message(), "offers less", "run once with the option accept_coverage")


def test_a_held_lock_names_the_option(env: SyncEnv) -> None:
    with Store(env.url) as store:
        store.lock(ALL_REPOS, 0)
        assert_names(message(on_lock_held="retry"), "the option lock_wait")


def test_a_slow_control_plane_names_the_option(env: SyncEnv) -> None:
    env.plane.faults = [fault("rate_limit")]
    assert_names(message(), "the option requests_per_second")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"page_size": 0}, "the option page_size must be at least 1"),
        ({"max_delete_share": "2"}, "the option max_delete_share must be between 0 and 1"),
        ({"full": "perhaps"}, "Invalid value for full"),
        ({"notify_url": "ftp://chat.example/x"}, "the option notify_url is not a valid URL"),
    ],
)
def test_an_invalid_option_is_named(options: dict[str, Any], part: str, env: SyncEnv) -> None:
    assert_names(message(options=options), part)


def test_names_of_the_command_line_are_restored_after_a_task(env: SyncEnv) -> None:
    operator().execute(context())
    assert name_of("page_size") == "--page-size"
    assert Settings(host="plane.example").base_url() == "https://plane.example"
