"""The values of settings, from the options of a DAG and the fields of a connection."""

from dataclasses import Field, fields
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from etl.durations import parse_duration
from etl.errors import ConfigError
from etl.settings import Settings

_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "none": False, "": False}
_NOT_GIVEN = {"", "None"}
"""The texts that a template of an empty value gives."""


def is_given(value: Any) -> bool:
    """Whether the value is neither None nor the text of a template with an empty value."""
    return value is not None and not (isinstance(value, str) and value.strip() in _NOT_GIVEN)


def setting_value(name: str, value: Any) -> Any:
    """Convert a value to the type of its setting, because templates give text. ConfigError if that is impossible."""
    setting, kind, optional = _settings()[name]
    if optional and not is_given(value):
        return None
    try:
        converted = _converted(kind, value)
    except ConfigError as error:
        raise ConfigError(f"Invalid value for {name}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        shown = f": {value!r}" if setting.repr else ""
        raise ConfigError(f"Invalid value for {name}{shown}. Its type is {kind.__name__}.") from error
    choices = setting.metadata.get("choices")
    if choices and converted not in choices:
        raise ConfigError(f"Invalid value for {name}: {value!r}. Use one of {', '.join(choices)}.")
    return converted


@cache
def _settings() -> dict[str, tuple[Field[Any], type[Any], bool]]:
    """Each setting with its type, and whether it may be None."""
    hints = get_type_hints(Settings)
    found = {}
    for each in fields(Settings):
        kinds = get_args(hints[each.name]) if NoneType in get_args(hints[each.name]) else (hints[each.name],)
        found[each.name] = (each, kinds[0], NoneType in kinds)
    return found


def _converted(kind: type[Any], value: Any) -> Any:
    if kind is bool:
        return _BOOLEANS[str(value).strip().lower()]
    if kind is timedelta and isinstance(value, str):
        return parse_duration(value)
    if kind in {int, float} and isinstance(value, int | float | str) and not isinstance(value, bool):
        number = kind(value)
        if isinstance(value, str) or number == value:
            return number
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    if kind in {str, timedelta} and isinstance(value, kind):
        return value
    raise TypeError
