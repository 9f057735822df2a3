"""A TOML file with settings, which become click's defaults, below options and environment variables."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from etl.errors import ConfigError
from etl.settings import TOKEN_ENV, Settings

_TOKENS = {"api_key", "token", TOKEN_ENV.lower()}
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "boolean": ((bool,), "true or false"),
    "integer": ((int,), "an integer"),
    "float": ((int, float), "a number"),
}
_PATH = "etl.cli.config_file"
_TEXT = ((str,), "a quoted string")
_MAX_LENGTH = 2**20
COMMANDS_WITH_SETTINGS = ("sync", "prune")
"""Commands that have settings of their own."""


def load(ctx: click.Context, path: Path, commands: Mapping[str, click.Command]) -> None:
    """Read the file into the context's defaults. ConfigError with file, line and key for invalid content."""
    text = _text(path)
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The config file {path} is not valid TOML: {error}.") from error
    except RecursionError:
        raise ConfigError(f"The config file {path} nests too many lists or tables.") from None
    settings = {each.name for each in fields(Settings)}
    known = {each.name: each for each in ctx.command.params if each.name in settings}
    of_commands = {
        each.name: each for name in COMMANDS_WITH_SETTINGS for each in commands[name].params if each.name in settings
    }
    own: dict[str, Any] = {}
    defaults: dict[str, Any] = {"rejected": {"retry": own}, "db": {"upgrade": own}}  # a retry is a run too
    defaults |= dict.fromkeys(COMMANDS_WITH_SETTINGS, own)
    for key, value in found.items():
        name, where = key.replace("-", "_"), f"{path}{_line(text, key)}"
        if name.lower() in _TOKENS:
            raise ConfigError(f"{where}: a config file must not contain the token: set {TOKEN_ENV}, or api-key-file.")
        option = known.get(name) or of_commands.get(name)
        if option is None:
            raise ConfigError(f"{where}: unknown setting {key!r}: use the name of an option.")
        try:
            _check(ctx, option, value)
        except click.BadParameter as error:
            raise ConfigError(f"{where}: {key}: {error.message}") from error
        except ConfigError as error:
            raise ConfigError(f"{where}: {key}: {error}") from error
        (defaults if name in known else own)[name] = value
    if "output" in own:
        _set_output(commands, defaults, own["output"])
    ctx.default_map = defaults
    ctx.meta[_PATH] = str(path)


def _set_output(commands: Mapping[str, click.Command], defaults: dict[str, Any], output: Any) -> None:
    """Set the default output format of every command that has the option."""
    for name, command in commands.items():
        if isinstance(command, click.Group):
            _set_output(command.commands, defaults.setdefault(name, {}), output)
        elif any(each.name == "output" for each in command.params):
            defaults.setdefault(name, {})["output"] = output


def path_of(ctx: click.Context) -> str | None:
    """The name of the file that was read, if any."""
    path: str | None = ctx.meta.get(_PATH)
    return path


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MAX_LENGTH + 1)
    except OSError as error:
        raise ConfigError(f"Cannot read the config file {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The config file {path} is not UTF-8 text.") from error
    if len(text) > _MAX_LENGTH:  # such as a device without end
        raise ConfigError(f"The config file {path} has more than {_MAX_LENGTH} characters.")
    return text


def _check(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    """Raise BadParameter or ConfigError unless the option can take the value.

    click alone accepts too much: 1.5 for an integer, true for 1, or the letters of a string as several ids.
    """
    kinds, wanted = _KINDS.get(option.type.name, _TEXT)
    values = value if option.multiple and isinstance(value, list) else [value]
    if option.multiple != isinstance(value, list) or any(type(each) not in kinds for each in values):
        raise ConfigError(f"expected {f'a list, each item {wanted}' if option.multiple else wanted}.")
    Settings(**{str(option.name): option.type_cast_value(ctx, value)})


def _line(text: str, key: str) -> str:
    """The line of a top-level key; empty for a key that is written with escapes."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[\].=]", line):
            return f", line {number}"
    return ""
