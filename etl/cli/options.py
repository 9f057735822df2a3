"""Options made from the fields of Settings; click resolves option, environment, config file, default."""

from collections import defaultdict
from collections.abc import Callable
from copy import copy
from dataclasses import Field, fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import click

from etl.durations import parse_duration
from etl.errors import ConfigError
from etl.setting_names import flag
from etl.settings import Settings, env_names, token_of_environment

if TYPE_CHECKING:  # only type checkers know its parameter before click 8.4
    DurationType = click.ParamType[timedelta]
else:
    DurationType = click.ParamType


UNREAD_URL = "etl.cli.unread_url"
"""The key of the context's `meta` with the error of the file that TFY_ETL_DATABASE_URL_FILE names, or None."""


class Duration(DurationType):
    """The type of options such as 6h or 90d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse the text, or fail with the reason."""
        try:
            return value if isinstance(value, timedelta) else parse_duration(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


_TYPES: dict[Any, Any] = {
    int: int,
    float: float,
    str: str,
    str | None: str,
    Path | None: click.Path(path_type=Path),
    tuple[str, ...]: str,
    timedelta: Duration(),
    timedelta | None: Duration(),
}


class Option(click.Option):
    """An option that the help shows in the group of this title."""

    def __init__(self, *names: Any, group: str, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.group = group


def options(scope: str) -> list[Option]:
    """The options of one scope of settings: `global`, `sync` or `prune`."""
    hints = get_type_hints(Settings)
    return [_option(each, hints[each.name]) for each in fields(Settings) if each.metadata.get("scope") == scope]


def _option(setting: Field[Any], hint: Any) -> Option:
    default = setting.default
    common: dict[str, Any] = {
        "default": _hours(default) if isinstance(default, timedelta) else default,
        "envvar": list(env_names(setting.name)),
        # Names that follow from the option's name are explained once, at the end of the help.
        "show_envvar": bool(setting.metadata["env"]),
        "show_default": default not in (None, False, ()),
        "help": setting.metadata["help"],
        "group": setting.metadata["group"],
    }
    name = flag(setting.name)
    if hint in (bool, bool | None):
        negative = setting.metadata.get("negative") or (f"no-{setting.name}" if default is None else None)
        short = [setting.metadata["short"]] if "short" in setting.metadata else []
        return Option([*short, f"{name}/--{negative}" if negative else name], is_flag=True, type=bool, **common)
    if choices := setting.metadata.get("choices"):
        return Option([name], type=click.Choice(choices), **common)
    metavar = setting.metadata.get("metavar")
    return Option([name], type=_TYPES[hint], multiple=hint == tuple[str, ...], metavar=metavar, **common)


def _hours(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 3600:g}h" if duration else "0s"


def add_options(*scopes: str) -> Callable[[click.Command], click.Command]:
    """Decorate a command with the options of these scopes."""

    def add(command: click.Command) -> click.Command:
        command.params[:0] = [each for scope in scopes for each in options(scope)]
        return command

    return add


def settings_of(ctx: click.Context, **own: Any) -> Settings:
    """The settings, from the options of the group and of the command."""
    root = ctx.find_root()
    if ctx is not root:
        check_database_url(root)
    values: dict[str, Any] = dict(root.params) | own
    given = {each.name: values[each.name] for each in fields(Settings) if each.name in values}
    # The option --api-key-file overrides the token in the environment, but TFY_API_KEY_FILE does not.
    file_option = root.get_parameter_source("api_key_file") is click.core.ParameterSource.COMMANDLINE
    # root.obj holds the token, because a file that is a pipe, such as <(…), can be read only once.
    return Settings(**given, api_key=root.obj or (None if file_option else token_of_environment()))


def check_database_url(root: click.Context) -> None:
    """Raise the error of the file with the database URL, unless an option names the database."""
    unread: ConfigError | None = root.meta.get(UNREAD_URL)
    if unread and root.get_parameter_source("database_url") is not click.core.ParameterSource.COMMANDLINE:
        raise unread


def context_without_arguments(root: click.Context, name: str) -> click.Context:
    """A command's context, with values from the environment, the config file and the defaults."""
    command: click.Command = root.command.commands[name]  # type: ignore[attr-defined]  # the root is a group
    return command.make_context(name, [], parent=root)


output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    envvar=env_names("output"),
    show_default=True,
    help="Output format.",
)


def complete_table(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[str]:
    """The tables and views whose names start with what was typed, for shell completion."""
    from etl.schema_docs import describe_schema  # noqa: PLC0415 slow, and completion alone needs it

    schema = describe_schema(())
    return sorted(each.name for each in (*schema.tables, *schema.views) if each.name.startswith(typed))


class GroupedHelp(click.Command):
    """A command whose help shows the options in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group, in the order of the first options."""
        sections: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            sections[getattr(option, "group", "Other options")] += [record] if record else []
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class GlobalOptionsGroup(GroupedHelp, click.Group):
    """A group that accepts its options after the command too: `tfy-etl sync --host …`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands before the options."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move the group's own options to the front, where click expects them."""
        takes_value = {
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
            if name not in takes_value:
                rest.append(arg)
                continue
            front.append(arg)
            if takes_value[name] and not equals:
                if not queue and ctx.resilient_parsing:  # completion asks for its values
                    break
                if not queue:
                    # At the front, it would take the name of the command as its value.
                    raise click.BadOptionUsage(name, f"Option {name!r} requires an argument.", ctx)
                front.append(queue.pop(0))
        return super().parse_args(ctx, [*front, *rest])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; for an unknown option, suggest also the group's own options."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            from difflib import get_close_matches  # noqa: PLC0415 rarely needed

            known = [name for each in self.params for name in each.opts if name.startswith("--")]
            similar = sorted({*(error.possibilities or ()), *get_close_matches(error.option_name, known)})
            raise click.NoSuchOption(error.option_name, error.message, similar, error.ctx) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for completion, with the group's own options."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and ctx.resilient_parsing:
            command = _with_options(command, self.params)
        return name, command, rest


def _with_options(command: click.Command, more: list[click.Parameter]) -> click.Command:
    """Return a copy of the command, and of the commands in it, with more options."""
    copied = copy(command)
    copied.params = [*command.params, *more]
    if isinstance(copied, click.Group):
        copied.commands = {name: _with_options(each, more) for name, each in copied.commands.items()}
    return copied
