from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from etl.airflow.hook import TrueFoundryHook, check_options, database_url_of, reject_password
from etl.errors import ConfigError, SourceError, TokenRefused
from etl.settings import Settings
from etl.simulator import fault
from tests.e2e.airflow.conftest import Connect
from tests.support.sync_env import TOKEN, SyncEnv


def settings_of(connect: Connect, options: dict[str, Any] | None = None, **fields: Any) -> Settings:
    connect("plane", **{"conn_type": "truefoundry", "host": "https://plane.example", "password": TOKEN} | fields)
    return TrueFoundryHook("plane").settings(options)


def test_a_connection_sets_host_token_prefix_and_certificates(connect: Connect) -> None:
    extra = {"api_prefix": "/api/svc/v1", "ca_bundle": "/etc/ca.pem", "allow_insecure_http": True}
    settings = settings_of(connect, extra=extra)
    assert (settings.base_url(), settings.token()) == ("https://plane.example", TOKEN)
    assert (settings.api_prefix, settings.ca_bundle) == ("/api/svc/v1", Path("/etc/ca.pem"))
    assert settings.allow_insecure_http


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"host": "plane.example"}, "https://plane.example"),
        ({"host": "https://corp.example/tfy/"}, "https://corp.example/tfy"),
        ({"host": "plane.example", "port": 8443}, "https://plane.example:8443"),
        ({"host": "http://127.0.0.1", "port": 8080}, "http://127.0.0.1:8080"),
        ({"host": "https://corp.example/tfy/", "port": 8443}, "https://corp.example:8443/tfy"),
        ({"host": "corp.example/tfy", "port": 8443}, "https://corp.example:8443/tfy"),
        ({"host": "https://[2001:db8::1]/tfy", "port": 8443}, "https://[2001:db8::1]:8443/tfy"),
        ({"host": "2001:db8::1", "port": 8443}, "https://[2001:db8::1]:8443"),
    ],
)
def test_the_host_may_omit_scheme_and_port(fields: dict[str, Any], address: str, connect: Connect) -> None:
    assert settings_of(connect, **fields).base_url() == address


def test_the_token_is_not_read_from_the_environment_of_the_worker(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_API_KEY", "of-somebody-else")
    with pytest.raises(ConfigError, match="No token"):
        settings_of(connect, password=None).token()


def test_options_are_converted_from_the_text_of_templates(connect: Connect) -> None:
    options = {"full": "True", "page_size": "20", "timeout": "1.5", "full_every": "7d", "fqn": "model:a/b/c"}
    settings = settings_of(connect, options | {"no_delete": "false", "concurrency": 2})
    assert (settings.full, settings.page_size, settings.timeout) == (True, 20, 1.5)
    assert (settings.full_every, settings.fqn) == (timedelta(days=7), "model:a/b/c")
    assert (settings.no_delete, settings.concurrency) == (False, 2)


def test_an_empty_database_url_is_not_the_default_file(connect: Connect) -> None:
    connect("plane", conn_type="truefoundry", host="https://plane.example", password=TOKEN)
    assert TrueFoundryHook("plane").settings(database_url="").database_url == ""


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("full", "perhaps", "'perhaps'"),
        ("page_size", "many", "'many'"),
        ("page_size", None, "None"),
        ("page_size", 2.5, "2.5"),
        ("page_size", True, "True"),
        ("full_every", "often", "'often' is not a duration"),
        ("full_every", 7, "7"),
        ("versions", "Latest", "Use one of all, latest"),
        ("name", ["a"], "a"),
        ("notify_url", 5, "notify_url. Its type is str"),
    ],
)
def test_an_invalid_option_is_a_configuration_error(name: str, value: Any, part: str, connect: Connect) -> None:
    with pytest.raises(ConfigError, match=f"Invalid value for {name}.*{part}|Invalid value for {part}"):
        settings_of(connect, {name: value})


@pytest.mark.parametrize("value", [None, "", "None", " None "])
def test_an_empty_option_of_a_template_is_ignored(value: Any, connect: Connect) -> None:
    options = {"fqn": value, "name": value, "metrics_file": value, "notify_url": value}
    assert settings_of(connect, options) == settings_of(connect)


@pytest.mark.parametrize(
    ("name", "value", "converted"),
    [
        ("full_every", timedelta(days=7), timedelta(days=7)),
        ("timeout", 5, 5.0),
        ("max_retries", 0, 0),
        ("full", 1, True),
        ("metrics_file", "/a/b.prom", Path("/a/b.prom")),
        ("versions", "latest", "latest"),
    ],
)
def test_an_option_has_the_type_of_its_setting(name: str, value: Any, converted: Any, connect: Connect) -> None:
    found = getattr(settings_of(connect, {name: value}), name)
    assert (found, type(found)) == (converted, type(converted))


@pytest.mark.parametrize("name", ["api_key", "database_url", "host", "ml_repo", "schema", "log_level", "colour"])
def test_settings_from_a_connection_or_airflow_are_refused_as_options(name: str) -> None:
    check_options({"full": True})
    with pytest.raises(ConfigError, match=f"not allowed here: {name}. Valid options: accept_coverage"):
        check_options({"full": True, name: "x"})


def test_every_ml_repo_is_listed_in_numeric_order(env: SyncEnv) -> None:
    for _ in range(9):
        env.registry.add_ml_repo()
    assert TrueFoundryHook("plane").ml_repos() == [str(number) for number in range(1, 13)]


def test_an_unproven_list_of_ml_repos_is_an_error(env: SyncEnv) -> None:
    env.plane.faults = [fault("wrong_total:1,endpoint=ml-repos")]
    env.registry.order = "shuffled"
    for _ in range(600):
        env.registry.add_ml_repo()
    with pytest.raises(SourceError, match="Cannot prove that the list"):
        TrueFoundryHook("plane").ml_repos()


def test_the_test_button_shows_success(env: SyncEnv) -> None:
    message = f"{env.plane.url}/api/ml/v1 responds, and lists models"
    assert TrueFoundryHook("plane").test_connection() == (True, message)


def test_the_test_button_shows_the_reason_of_a_failure(env: SyncEnv, connect: Connect) -> None:
    connect("plane", conn_type="truefoundry", host=env.plane.url, password="another-token")
    works, message = TrueFoundryHook("plane").test_connection()
    assert not works
    assert "token" in message
    assert "another-token" not in message
    with pytest.raises(TokenRefused):
        TrueFoundryHook("plane").get_conn()


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        (
            {"host": "db", "port": 5433, "login": "etl", "password": "p@ss/w:rd", "schema": "registry"},
            "postgresql://etl:p%40ss%2Fw%3Ard@db:5433/registry",
        ),
        (
            {"host": "/run/postgresql", "port": 5433, "login": "etl", "schema": "registry"},
            "postgresql://etl@/registry?host=%2Frun%2Fpostgresql&port=5433",
        ),
        (
            {"host": "db", "login": "etl", "schema": "registry", "extra": {"sslmode": "require", "cursor": "x"}},
            "postgresql://etl@db/registry?sslmode=require",
        ),
        (
            {"host": "2001:db8::1", "port": 5433, "login": "etl", "schema": "registry"},
            "postgresql://etl@[2001:db8::1]:5433/registry",
        ),
        ({"host": "2001:db8::1", "login": "etl", "schema": "registry"}, "postgresql://etl@[2001:db8::1]/registry"),
        ({"host": "[::1]", "login": "etl", "schema": "registry"}, "postgresql://etl@[::1]/registry"),
        ({"conn_type": "sqlite", "host": "/var/lib/registry.db"}, "sqlite:////var/lib/registry.db"),
    ],
)
def test_the_database_url_is_built_from_a_connection(fields: dict[str, Any], url: str, connect: Connect) -> None:
    assert database_url_of(connect("registry_db", **{"conn_type": "postgres"} | fields)) == url


@pytest.mark.parametrize("url", ["sqlite:////var/lib/registry.db", "sqlite:///registry.db"])
def test_the_database_url_is_read_from_a_connection_that_is_a_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY_DB", url)
    assert database_url_of("registry_db") == url


def test_a_connection_of_another_type_is_a_configuration_error(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="has the type 'mysql'"):
        database_url_of(connect("registry_db", conn_type="mysql", host="db"))


def test_a_url_with_a_password_is_refused_in_a_dag() -> None:
    assert reject_password("postgresql://etl@db/registry") == "postgresql://etl@db/registry"
    with pytest.raises(ConfigError, match="must not contain a password") as raised:
        reject_password("postgresql://etl:hunter22@db/registry")
    assert "hunter22" not in str(raised.value)
