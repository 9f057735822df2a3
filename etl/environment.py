"""Read the environment for code that has no settings: before they are known, and for tools without options."""

import os
from pathlib import Path

from etl.errors import ConfigError
from etl.redaction import passwords_of, secrets_of_webhook
from etl.settings import DATABASE_URL_FILE_ENV, DEFAULT_DATABASE_URL
from etl.urls import with_schema


def otlp_signals() -> frozenset[str]:
    """The signals, traces and metrics, that OpenTelemetry's standard variables enable and give an endpoint.

    ConfigError for an unsupported protocol.
    """
    enabled = set[str]()
    for signal in ("traces", "metrics") if os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true" else ():
        templates = [f"OTEL_EXPORTER_OTLP_{signal.upper()}_{{}}", "OTEL_EXPORTER_OTLP_{}"]
        endpoint, protocol = (
            next(filter(None, (os.environ.get(each.format(part)) for each in templates)), "")
            for part in ("ENDPOINT", "PROTOCOL")
        )
        if endpoint and os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "") in {"", "otlp"}:
            if protocol not in {"", "http/protobuf"}:
                raise ConfigError(f"The OTLP protocol {protocol!r} is not supported: use http/protobuf.")
            enabled.add(signal)
    return frozenset(enabled)


def secrets_of_environment() -> list[str]:
    """The secrets in URLs of the environment, for redaction before the settings are known."""
    database, webhook = (os.environ.get(f"TFY_ETL_{name}", "") for name in ("DATABASE_URL", "NOTIFY_URL"))
    return [*passwords_of(database), *secrets_of_webhook(webhook)]


def database_url_of_environment() -> str:
    """The database URL for tools without options, such as Alembic's own command."""
    url = os.environ.get("TFY_ETL_DATABASE_URL") or DEFAULT_DATABASE_URL
    return with_schema(url, os.environ.get("TFY_ETL_SCHEMA"))


def load_database_url() -> None:
    """Set TFY_ETL_DATABASE_URL in this process from the file that TFY_ETL_DATABASE_URL_FILE names.

    A URL in the environment itself wins. ConfigError if the file cannot be read, or is empty.
    """
    path = os.environ.get(DATABASE_URL_FILE_ENV)
    if not path or os.environ.get("TFY_ETL_DATABASE_URL"):
        return
    try:
        url = Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        # The cause of a ValueError quotes the file's content.
        raise ConfigError(f"Cannot read the file named by {DATABASE_URL_FILE_ENV}: {reason}.") from None
    if not url:
        raise ConfigError(f"The file named by {DATABASE_URL_FILE_ENV} is empty: write the database URL to it.")
    os.environ["TFY_ETL_DATABASE_URL"] = url
