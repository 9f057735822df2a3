"""What the environment says to code that has no settings: before they are known, and to tools without options."""

import os

from etl.errors import ConfigError
from etl.settings import DEFAULT_DATABASE_URL
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


def notify_url_of_environment() -> str:
    """The webhook's URL in the environment, for redaction before the settings are known."""
    return os.environ.get("TFY_ETL_NOTIFY_URL", "")


def database_url_of_environment() -> str:
    """The database URL for tools without options, such as Alembic's own command."""
    url = os.environ.get("TFY_ETL_DATABASE_URL") or DEFAULT_DATABASE_URL
    return with_schema(url, os.environ.get("TFY_ETL_SCHEMA"))
