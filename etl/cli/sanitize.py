"""Make text from the registry and from errors safe to print: without secrets and control characters."""

from collections.abc import Iterable

from etl.redaction import secret_pattern


class _Secrets:
    """The secrets of this process: none until the settings are known."""

    pattern = secret_pattern()


def set_secrets(secrets: Iterable[str | None]) -> None:
    """Replace the set of secrets to redact."""
    _Secrets.pattern = secret_pattern(*filter(None, secrets))


def redact(text: str) -> str:
    """The text without secrets, in any encoding: for output that programs read."""
    return _Secrets.pattern.sub("***", text)


def sanitize(value: object) -> str:
    """The value as text without secrets, control characters and changes of the writing direction."""
    text = "" if value is None else redact(str(value))
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
