"""The options, made from the fields of Settings; click resolves option, environment, config file, default."""

from collections.abc import Callable
from dataclasses import Field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, cast, get_type_hints

import click

from etl.errors import ConfigError
from etl.settings import Settings, duration, env_names, flag, token_of_environment


def span(value: str | timedelta) -> timedelta:
    """An option's type: a time span such as 6h."""
    if isinstance(value, timedelta):
        return value
    try:
        return duration(value)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


_TYPES: dict[Any, Any] = {
    int: int,
    float: float,
    str: str,
    str | None: str,
    Path | None: click.Path(path_type=Path),
    tuple[str, ...]: str,
    timedelta: span,
}


def options(scope: str) -> list[click.Parameter]:
    """The options of one scope of settings: `global` or `sync`."""
    hints = get_type_hints(Settings)
    return [
        _option(each, hints[each.name]) for each in fields(Settings) if each.metadata.get("scope") == scope
    ]


def _option(setting: Field[Any], hint: Any) -> click.Option:
    common: dict[str, Any] = {
        "default": setting.default,
        "envvar": list(env_names(setting.name)),
        "show_envvar": True,
        "show_default": setting.default not in (None, False, ()),
        "help": setting.metadata["help"],
    }
    names = [flag(setting.name)]
    if hint in (bool, bool | None):
        if negative := setting.metadata.get("negative"):
            names = [f"{names[0]}/--{negative}"]
        elif hint == bool | None:
            names = [f"{names[0]}/--no-{setting.name}"]
        return click.Option(names, is_flag=True, type=bool, **common)
    if choices := setting.metadata.get("choices"):
        return click.Option(names, type=click.Choice(choices), **common)
    if hint is timedelta:
        common |= {"show_default": _hours(cast("timedelta", setting.default)), "metavar": "DURATION"}
    return click.Option(names, type=_TYPES[hint], multiple=hint == tuple[str, ...], **common)


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:g}h"


def settings_of(ctx: click.Context, **own: Any) -> Settings:
    """Settings from the group's options and those of the command."""
    named: dict[str, Any] = dict(ctx.find_root().params) | own
    given = {each.name: named[each.name] for each in fields(Settings) if each.name in named}
    # An option names the file on purpose; the token of the environment comes before a file that is named there.
    asked = ctx.find_root().get_parameter_source("api_key_file") is click.core.ParameterSource.COMMANDLINE
    return Settings(**given, api_key=None if asked else token_of_environment())


class HoistingGroup(click.Group):
    """A group whose options may also stand behind the command: `tfy-etl sync --host …`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move the group's own options to the front, where click looks for them."""
        own = {
            name: isinstance(each, click.Option) and not each.is_flag
            for each in self.params
            for name in (*each.opts, *each.secondary_opts)
        }
        front, rest, queue = [], [], list(args)
        while queue:
            arg = queue.pop(0)
            if arg == "--":
                rest += [arg, *queue]
                break
            name, equals, _value = arg.partition("=")
            if name not in own:
                rest.append(arg)
                continue
            front.append(arg)
            if own[name] and not equals and queue:
                front.append(queue.pop(0))
        return super().parse_args(ctx, [*front, *rest])


def add_options(*scopes: str) -> Callable[[click.Command], click.Command]:
    """Give a command the options of these scopes."""

    def add(command: click.Command) -> click.Command:
        command.params[:0] = [each for scope in scopes for each in options(scope)]
        return command

    return add
