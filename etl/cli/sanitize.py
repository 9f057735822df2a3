"""Make text from the registry and from errors safe to print: without secrets and control characters."""

from collections.abc import Iterable
from typing import Any

from etl.redaction import Redactor, escape_unprintable


class _Secrets:
    """The secrets of this process: none until the settings are known."""

    redactor = Redactor()


def set_secrets(secrets: Iterable[str | None], token: str | None = None) -> None:
    """Replace the set of secrets to redact. The token is found in unusual encodings, too."""
    _Secrets.redactor = Redactor(*filter(None, secrets), token=token)


def redact(text: str) -> str:
    """The text without secrets, in any encoding: for output that programs read."""
    return _Secrets.redactor(text)


def redact_json(value: Any) -> Any:
    """The JSON value with each text redacted by itself, so that the rest stays valid JSON."""
    match value:
        case str():
            return redact(value)
        case dict():
            return {redact_json(key): redact_json(item) for key, item in value.items()}
        case list() | tuple():
            return [redact_json(item) for item in value]
    return value


def sanitize(value: object) -> str:
    """The value as text without secrets, control characters and changes of the writing direction."""
    return "" if value is None else escape_unprintable(redact(str(value)))
