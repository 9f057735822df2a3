"""Log lines on stderr, for people or as JSON, with secrets taken out."""

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

from etl import run_context
from etl.cli.sanitize import redact, sanitize, set_secrets

_CHATTY = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "alembic": logging.WARNING,
    "filelock": logging.WARNING,
    "opentelemetry": logging.WARNING,
    "urllib3": logging.WARNING,
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


class _Line(logging.Formatter):
    """One line for people, a traceback below it; or one JSON object, which also names the run that it is about."""

    def __init__(self, *, as_json: bool) -> None:
        """Whether it is for programs."""
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        level, event = record.levelname.lower(), record.getMessage()
        exception = self.formatException(record.exc_info) if record.exc_info else ""
        if self._as_json:  # secrets go before it is put together, so that JSON stays JSON
            said = {"event": event, "exception": exception} if exception else {"event": event}
            told = {name: redact(text) for name, text in said.items()}
            of_run = {} if (run_id := run_context.run_id()) is None else {"run_id": run_id}
            return json.dumps(told | {"level": level, "logger": record.name, **of_run, "timestamp": time})
        # A line break belongs to a traceback; what else does not print was written by someone.
        below = redact(exception).split("\n") if exception else []
        return "\n".join([f"{time} [{level}] {sanitize(event)} [{record.name}]", *map(sanitize, below)])


def configure(form: str, level: str, secrets: Iterable[str | None]) -> None:
    """Log to stderr from `level` on, as `console` lines or as `json` objects, without the secrets."""
    set_secrets(secrets)
    # Python's own report of a line that cannot be made quotes what it was to say.
    logging.raiseExceptions = False
    handler = _Stderr(form)
    handler.setFormatter(_Line(as_json=form == "json"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, least in _CHATTY.items():
        logging.getLogger(name).setLevel(max(least, root.level))


def is_json() -> bool:
    """Whether `configure` was called for JSON lines."""
    return any(isinstance(each, _Stderr) and each.form == "json" for each in logging.getLogger().handlers)


def log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log what is a fault of this program, in place of Python's own report, which knows of no secrets."""
    _log.critical("this is a bug in tfy-etl, please report it", exc_info=(kind, error, trace))
