"""What people wrote into the registry, made safe to show on a terminal."""

from collections.abc import Iterable

from etl.secrecy import spelled


class _Secrets:
    """What must not show: nothing before the settings are known."""

    pattern = spelled()


def hide(secrets: Iterable[str | None]) -> None:
    """From now on show these to nobody, and no longer those before."""
    _Secrets.pattern = spelled(*filter(None, secrets))


def without_secrets(text: str) -> str:
    """The text without the secrets, in whatever spelling: for what is not shown to people alone."""
    return _Secrets.pattern.sub("***", text)


def shown(value: object) -> str:
    """The value as text that holds no secret, nor moves the cursor, sets a colour or turns the direction of writing."""
    text = "" if value is None else without_secrets(str(value))
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
