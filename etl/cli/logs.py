"""Log lines on stderr, for people or as JSON, with secrets taken out."""

import logging
import sys
from collections.abc import Collection, Iterable

import structlog

from etl.cli.shown import shown

_CHATTY = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "alembic": logging.WARNING,
    "filelock": logging.WARNING,
}


class _Scrubbing(structlog.stdlib.ProcessorFormatter):
    """Renders an entry, and replaces each secret in what came out."""

    secrets: Collection[str] = ()

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in self.secrets:
            text = text.replace(secret, "***")
        # A line break belongs to a traceback; anything else that does not print was written by someone.
        return "\n".join(shown(line) for line in text.split("\n"))


def configure(form: str, level: str, secrets: Iterable[str | None]) -> None:
    """Log to stderr from `level` on, as `console` lines or as `json` objects, without the secrets."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, pad_level=False)
    )
    formatter = _Scrubbing(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )
    formatter.secrets = [secret for secret in secrets if secret]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, least in _CHATTY.items():
        logging.getLogger(name).setLevel(max(least, root.level))
