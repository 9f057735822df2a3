"""Log lines on stderr, for people or as JSON, without secrets."""

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from etl import run_context
from etl.cli.sanitize import redact, sanitize, set_secrets

if TYPE_CHECKING:  # slow to import
    from rich.console import Console

_LIBRARY_LEVELS = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "alembic": logging.WARNING,
    "filelock": logging.WARNING,
    "opentelemetry": logging.WARNING,
    "urllib3": logging.WARNING,
}

_log = logging.getLogger(__name__)


class _Stderr(logging.StreamHandler[TextIO]):
    """A handler that looks up stderr for each line, because progress bars replace it while they are visible."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _Line(logging.Formatter):
    """A line for people, followed by a traceback, or one JSON object with the id of the run.

    A brief line has neither time nor logger: `Warning: every user can read the token file`.
    """

    def __init__(self, *, as_json: bool, brief: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._brief = brief

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        level, event = record.levelname.lower(), record.getMessage()
        exception = self.formatException(record.exc_info) if record.exc_info else ""
        if self._as_json:  # redact before the serialization, so that the JSON stays valid
            texts = {"event": event, "exception": exception} if exception else {"event": event}
            redacted = {name: redact(text) for name, text in texts.items()}
            run = {} if (run_id := run_context.run_id()) is None else {"run_id": run_id}
            return json.dumps(redacted | {"level": level, "logger": record.name, **run, "timestamp": time})
        # Only tracebacks may contain line breaks; other control characters come from data.
        below = redact(exception).split("\n") if exception else []
        line = f"{level.capitalize()}: {sanitize(event)}"
        if not self._brief:
            line = f"{time} [{level}] {sanitize(event)} [{record.name}]"
        return "\n".join([line, *map(sanitize, below)])


def configure(form: str, level: str, secrets: Iterable[str | None], token: str | None = None) -> None:
    """Log to stderr from this level up, as `console` lines or `json` objects, without the secrets.

    On a terminal, console lines are brief, unless info lines are logged too.
    """
    set_secrets(secrets, token)
    # For a line that cannot be formatted, Python would print the arguments, with secrets.
    logging.raiseExceptions = False
    handler = _Stderr(form)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    handler.setFormatter(_Line(as_json=form == "json", brief=on_terminal() and root.level > logging.INFO))
    for name, minimum in _LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(max(minimum, root.level))


def on_terminal() -> bool:
    """Whether log lines go to a terminal."""
    return sys.stderr.isatty()


def share_terminal_with(out: "Console") -> bool:
    """Whether warnings are logged to the terminal that shows the results too."""
    return on_terminal() and out.is_terminal and not is_json() and logging.getLogger().level <= logging.WARNING


def is_json() -> bool:
    """Whether log lines are JSON."""
    return any(isinstance(each, _Stderr) and each.form == "json" for each in logging.getLogger().handlers)


def log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log an uncaught error, instead of Python's own traceback, which does not redact secrets."""
    _log.critical("this is a bug in tfy-etl, please report it", exc_info=(kind, error, trace))
