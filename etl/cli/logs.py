"""Log lines on stderr, for people or as JSON, with secrets taken out."""

import logging
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor

from etl.cli.shown import hide, shown, without_secrets

_CHATTY = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "alembic": logging.WARNING,
    "filelock": logging.WARNING,
}

_log = logging.getLogger(__name__)


class _Stderr(logging.StreamHandler[TextIO]):
    """Looks stderr up for each line: progress bars put something else in its place, that writes above them."""

    def __init__(self, form: str) -> None:
        """The form of the lines is told to who asks; the formatter makes it."""
        super().__init__()
        self.form = form

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _scrub(_logger: object, _name: str, entry: EventDict) -> EventDict:
    """Take the secrets out of what an entry says; before it is rendered, so that JSON stays JSON."""
    return {name: without_secrets(value) if isinstance(value, str) else value for name, value in entry.items()}


def configure(form: str, level: str, secrets: Iterable[str | None]) -> None:
    """Log to stderr from `level` on, as `console` lines or as `json` objects, without the secrets."""
    hide(secrets)
    # Python's own report of a line that cannot be made quotes what it was to say.
    logging.raiseExceptions = False
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render: Processor = structlog.processors.JSONRenderer() if form == "json" else _console_line
    handler = _Stderr(form)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _scrub, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, least in _CHATTY.items():
        logging.getLogger(name).setLevel(max(least, root.level))


def are_json() -> bool:
    """Whether `configure` was called for JSON lines."""
    return any(isinstance(each, _Stderr) and each.form == "json" for each in logging.getLogger().handlers)


# Without a formatter of its own it would print the variables of each frame, the token among them.
_plain_line = structlog.dev.ConsoleRenderer(
    colors=False, pad_event_to=0, pad_level=False, exception_formatter=structlog.dev.plain_traceback
)


def _console_line(logger: structlog.typing.WrappedLogger, name: str, entry: EventDict) -> str:
    """An entry for people. A line break belongs to a traceback; what else does not print was written by someone."""
    entry["event"] = shown(entry["event"])
    return "\n".join(shown(line) for line in str(_plain_line(logger, name, entry)).split("\n"))


def unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log what is a fault of this program, in place of Python's own report, which knows of no secrets."""
    _log.critical("this is a fault of tfy-etl, please report it", exc_info=(kind, error, trace))
