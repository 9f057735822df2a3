"""What people wrote into the registry, made safe to show on a terminal."""

from collections.abc import Iterable

from etl.redaction import secret_pattern


class _Secrets:
    """What must not show: nothing before the settings are known."""

    pattern = secret_pattern()


def set_secrets(secrets: Iterable[str | None]) -> None:
    """From now on show these to nobody, and no longer those before."""
    _Secrets.pattern = secret_pattern(*filter(None, secrets))


def redact(text: str) -> str:
    """The text without the secrets, in whatever spelling: for what is not shown to people alone."""
    return _Secrets.pattern.sub("***", text)


def sanitize(value: object) -> str:
    """The value as text that holds no secret, nor moves the cursor, sets a colour or turns the direction of writing."""
    text = "" if value is None else redact(str(value))
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
