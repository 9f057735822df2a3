"""The names of settings in messages: options and variables, unless another front end uses its own names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Namer = Callable[[str], str]
"""Returns the name of a setting that users know, as a noun."""

# Settings that are usually set in the environment. The others have variables, too, but their options are shorter.
_OF_COMMAND_LINE = {
    "api_key": "TFY_API_KEY or --api-key-file",
    "api_key_file": "--api-key-file or TFY_API_KEY_FILE",
    "database_url": "TFY_ETL_DATABASE_URL or --database-url",
    "host": "TFY_HOST or --host",
}


def flag(setting: str) -> str:
    """The option of a setting: `page_size` is `--page-size`."""
    return "--" + setting.replace("_", "-")


def _of_command_line(setting: str) -> str:
    return _OF_COMMAND_LINE.get(setting) or flag(setting)


_namer: ContextVar[Namer] = ContextVar("namer", default=_of_command_line)


def name_of(setting: str) -> str:
    """The name of a setting for a message, as a noun: `--page-size`, or `the option page_size` in Airflow."""
    return _namer.get()(setting)


@contextmanager
def use_names(namer: Namer) -> Iterator[None]:
    """Use these names in all messages that are made inside."""
    before = _namer.set(namer)
    try:
        yield
    finally:
        _namer.reset(before)
