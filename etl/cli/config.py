"""`tfy-etl config show`: each setting, its value, and where it comes from."""

import json
from dataclasses import Field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from etl.cli.config_file import COMMANDS_WITH_SETTINGS, path_of
from etl.cli.options import check_database_url, context_without_arguments
from etl.cli.sanitize import redact_json, sanitize
from etl.redaction import passwords_of, secret_pattern
from etl.setting_names import flag
from etl.settings import TOKEN_ENV, Settings, token_of_environment, variable_in_use
from etl.token_file import may_be_token

_HIDDEN = "****"


class ShownSetting(NamedTuple):
    """A setting as it is shown; `origin` is the variable, the file or the option that `source` means."""

    name: str
    value: Any
    source: str
    origin: str | None


def show_config(root: click.Context, output: str) -> None:
    """Print each setting with its value and its source, as text or JSON."""
    check_database_url(root)
    shown = [_token(root), *_settings(root)]
    if output == "json":
        safe = [each._replace(value=redact_json(each.value), origin=redact_json(each.origin)) for each in shown]
        click.echo(json.dumps({"settings": [each._asdict() for each in safe]}))
        return
    from etl.cli.console import console, table  # noqa: PLC0415 JSON does not need it

    rows = table("setting", "value", "from")
    for each in shown:
        rows.add_row(each.name, sanitize(_as_text(each.value)), sanitize(" ".join(filter(None, each[2:]))))
    console().print(rows)


def _settings(root: click.Context) -> list[ShownSetting]:
    contexts = {"global": root} | {name: context_without_arguments(root, name) for name in COMMANDS_WITH_SETTINGS}
    contexts["words"] = contexts["sync"]
    found = [each for each in fields(Settings) if each.metadata.get("scope") in contexts]
    return [_shown(each, contexts[each.metadata["scope"]]) for each in found]


def _shown(setting: Field[Any], ctx: click.Context) -> ShownSetting:
    return ShownSetting(flag(setting.name)[2:], _safe(setting, ctx.params[setting.name]), *_source(setting.name, ctx))


def _token(root: click.Context) -> ShownSetting:
    """The token, which is not a setting that the command line takes."""
    source, origin = _source("api_key_file", root)
    if source == "option":
        origin = "--api-key-file"
    elif token_of_environment():
        source, origin = "environment", TOKEN_ENV
    return ShownSetting("token", _HIDDEN if root.obj else None, source, origin)


def _source(name: str, ctx: click.Context) -> tuple[str, str | None]:
    match ctx.get_parameter_source(name):
        case ParameterSource.COMMANDLINE:
            return "option", None
        case ParameterSource.ENVIRONMENT:
            return "environment", variable_in_use(name)
        case ParameterSource.DEFAULT_MAP:
            return "config file", path_of(ctx)
        case _:
            return "default", None


def _safe(setting: Field[Any], value: Any) -> Any:
    """The value as JSON has it, with secrets hidden."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds() / 3600:g}h"
    if isinstance(value, Path):
        return _HIDDEN if setting.name == "api_key_file" and may_be_token(value) else str(value)
    if setting.name == "notify_url":
        return value and _HIDDEN
    return _without_password(value) if setting.name in {"database_url", "host"} and value else value


def _without_password(url: str) -> str:
    """The URL with its passwords hidden; a URL that may hold one elsewhere is hidden as a whole."""
    passwords = passwords_of(url)
    if "@" in url and (url.count("@") > 1 or not passwords):
        return _HIDDEN
    return secret_pattern(*passwords).sub(_HIDDEN, url)


def _as_text(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return " ".join(value) if isinstance(value, tuple) else str(value)
