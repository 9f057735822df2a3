"""A TOML file of settings becomes click's defaults: weaker than options and environment, stronger than built-in ones."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from etl.errors import ConfigError
from etl.settings import TOKEN_ENV


def load(ctx: click.Context, path: Path, commands: Mapping[str, click.Command]) -> None:
    """Read the file into the context's defaults. ConfigError with file, line and key when something is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"Cannot read the config file {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The config file {path} is not text in UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The config file {path} is no TOML: {error}.") from error
    known = {each.name: each for each in ctx.command.params if each.name and each.name != "config"}
    of_sync = {each.name: each for each in commands["sync"].params if each.name}
    defaults: dict[str, Any] = {"sync": {}}
    for key, value in found.items():
        name, where = key.replace("-", "_"), f"{path}, line {_line(text, key)}"
        if name in {"api_key", "token", TOKEN_ENV.lower()}:
            raise ConfigError(
                f"{where}: the token does not belong here: set {TOKEN_ENV}, or name its file in api-key-file."
            )
        option = known.get(name) or of_sync.get(name)
        if option is None:
            raise ConfigError(f"{where}: there is no setting {key!r}; the names are those of the options.")
        try:
            option.type_cast_value(ctx, value)
        except click.BadParameter as error:
            raise ConfigError(f"{where}: {key}: {error.message}") from error
        except TypeError as error:
            raise ConfigError(
                f"{where}: {key}: {value!r} is not of the kind that this setting takes."
            ) from error
        (defaults if name in known else defaults["sync"])[name] = value
    ctx.default_map = defaults


def _line(text: str, key: str) -> int:
    """The line on which a top-level key stands."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[\].=]", line):
            return number
    return 1
