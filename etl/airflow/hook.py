"""The connection: URL and token of the control plane, the settings of a run, and the list of ML repos.

Airflow imports this module each time it parses DAGs, so functions import heavy modules when they are called.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from etl.airflow import CONNECTION_TYPE
from etl.airflow.setting_names import use_connection_names
from etl.airflow.setting_values import setting_value
from etl.errors import ConfigError, EtlError, SourceError
from etl.redaction import passwords_of, secrets_of_webhook
from etl.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from etl.source import Client, ListingReader

# Keys of a connection's extra that go to libpq; other keys are for other hooks.
_LIBPQ = frozenset({"application_name", "connect_timeout", "options", "sslcert", "sslkey", "sslmode", "sslrootcert"})
# Settings that connections and operators provide, and those that only the command line uses.
_RESERVED = frozenset(
    {"host", "api_key", "api_key_file", "database_url", "schema", "ml_repo"}
    | {"log_format", "log_level", "quiet", "verbose", "output", "progress", "keep"}
)


class TrueFoundryHook(BaseHook):
    """A connection of type `truefoundry`: host, token as password, API prefix and CA file as extras."""

    conn_name_attr = "truefoundry_conn_id"
    default_conn_name = "truefoundry_default"
    conn_type = CONNECTION_TYPE
    hook_name = "TrueFoundry"

    def __init__(self, truefoundry_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.truefoundry_conn_id = truefoundry_conn_id

    @cached_property
    def connection(self) -> "Connection":
        """The connection. Airflow masks its token in logs from now on."""
        connection = self.get_connection(self.truefoundry_conn_id)
        if connection.password:
            mask_secret(connection.password)
        return connection

    def settings(self, options: Mapping[str, Any] | None = None, *, database_url: str | None = None) -> Settings:
        """The settings of a run; `options` are settings by name. ConfigError for invalid values."""
        connection, extra = self.connection, self.connection.extra_dejson
        from_connection = {
            "host": _address(connection),
            "api_key": connection.password,
            "api_prefix": extra.get("api_prefix") or None,
            "ca_bundle": extra.get("ca_bundle") or None,
            "allow_insecure_http": extra.get("allow_insecure_http") or False,
        }
        values = (
            from_connection | dict(options or {}) | ({} if database_url is None else {"database_url": database_url})
        )
        with use_connection_names(self.truefoundry_conn_id):
            settings = Settings(**{name: setting_value(name, value) for name, value in values.items()})
        for secret in secrets_of_webhook(settings.notify_url):
            mask_secret(secret)
        return settings

    def get_conn(self, options: Mapping[str, Any] | None = None) -> "Client":
        """A client of the API, for use in a `with` statement; `options` are settings by name.

        EtlError if the control plane does not respond.
        """
        from etl.source import Client

        with use_connection_names(self.truefoundry_conn_id), ExitStack() as stack:
            settings = self.settings(options)
            settings.require_source()
            client = stack.enter_context(Client(settings))
            client.discover()
            stack.pop_all()  # the caller closes the client
        return client

    def ml_repos(self, options: Mapping[str, Any] | None = None) -> list[str]:
        """The ids of all ML repos, from a list that is proven complete. EtlError without a proof.

        `options` are settings by name. If the control plane does not list ML repos, they are derived from the models.
        """
        from etl.errors import RequestRefused
        from etl.source import Forbidden, ListingReader, is_withheld

        settings = self.settings(options)
        with (
            use_connection_names(self.truefoundry_conn_id),
            self.get_conn(options) as client,
            ListingReader(
                client, settings.page_size, settings.concurrency, settings.max_sweeps, settings.max_records
            ) as reader,
        ):
            try:
                found = _ids(reader, "ml-repos", "id")
            except (Forbidden, RequestRefused) as refusal:
                if not is_withheld(refusal):
                    raise
                self.log.info("cannot list ML repos, deriving them from all models instead: %s", refusal)
                found = _ids(reader, "models", "ml_repo_id")
        return sorted(found, key=lambda ml_repo: (len(ml_repo), ml_repo))

    def test_connection(self) -> tuple[bool, str]:
        """Check that the control plane responds and lists models, for the test button of Airflow."""
        try:
            with use_connection_names(self.truefoundry_conn_id), self.get_conn() as client:
                client.list_page("models", (), offset=0, limit=1)
                return True, f"{self.settings().base_url()}{client.prefix} responds, and lists models"
        except EtlError as error:
            return False, str(error)


def _ids(reader: "ListingReader", endpoint: str, field: str) -> set[str]:
    """The values of an id field in a list that is proven complete. SourceError without a proof."""
    from etl.records import identity
    from etl.source import Listing

    found = set[str]()
    reading = reader.read(Listing(endpoint, optional=endpoint != "models"))
    for page in reading:
        ids = (identity(record.get(field)) for record in page.new_records if isinstance(record, dict))
        found.update(filter(None, ids))
    if reading.proof is None:
        raise SourceError(
            f"Cannot prove that the list of {endpoint} is complete: "
            "it changes during the read, or the responses are inconsistent."
        )
    return found


def database_url_of(conn_id: str) -> str:
    """The URL of a connection of type `postgres` or `sqlite`. Airflow masks its passwords in logs."""
    return url_of(BaseHook.get_connection(conn_id))


def url_of(connection: "Connection") -> str:
    """The same for a connection that was fetched before."""
    if connection.conn_type == "sqlite":
        # Airflow reads a connection from a URL such as sqlite:////var/lib/registry.db without a host.
        return f"sqlite:///{connection.host or connection.schema or ''}"
    if connection.conn_type not in {"postgres", "postgresql"}:
        raise ConfigError(
            f"The connection {connection.conn_id!r} has the type {connection.conn_type!r}: create it again with the "
            "type postgres or sqlite. Airflow stores the type generic if the provider of the database is not installed."
        )
    url = _postgresql(connection)
    for password in passwords_of(url):
        mask_secret(password)
    return url


def reject_password(database_url: str) -> str:
    """Return the URL, or raise ConfigError if it contains a password, which Airflow would store and show."""
    if passwords_of(database_url):
        raise ConfigError(
            "A DAG must not contain a password: define the database as a connection, and pass database_conn_id."
        )
    return database_url


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ConfigError for unknown settings, and for those that come from a connection or Airflow."""
    known = {each.name for each in fields(Settings)} - _RESERVED
    if refused := sorted(options.keys() - known):
        raise ConfigError(
            f"Options that are not allowed here: {', '.join(refused)}. Valid options: {', '.join(sorted(known))}."
        )


def _address(connection: "Connection") -> str | None:
    host = connection.host
    if not host or not connection.port:
        return host or None
    scheme, separator, rest = host.rpartition("://")
    name, slash, path = rest.partition("/")
    return f"{scheme}{separator}{_bracketed(name)}:{connection.port}{slash}{path}"


def _bracketed(host: str) -> str:
    """The host as a URL has it: an IPv6 address in brackets."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def _postgresql(connection: "Connection") -> str:
    host, query = connection.host or "", {}
    if host.startswith("/"):  # the directory of a Unix socket
        host, query = "", {"host": host} | ({"port": str(connection.port)} if connection.port else {})
    query |= {name: str(value) for name, value in connection.extra_dejson.items() if name in _LIBPQ}
    login = quote(connection.login or "", safe="")
    password = f":{quote(connection.password, safe='')}" if connection.password else ""
    address = f"{_bracketed(host)}:{connection.port}" if connection.port and host else _bracketed(host)
    database = quote(connection.schema or "", safe="")
    return f"postgresql://{login}{password}@{address}/{database}{'?' if query else ''}{urlencode(query)}"
