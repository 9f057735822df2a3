"""The command group, which turns each exception into an error line and an exit code."""

import logging
import resource
import sys
from pathlib import Path

import click

import etl
from etl.cli import commands, config_file, logs
from etl.cli.options import UNREAD_URL, GlobalOptionsGroup, add_options, settings_of
from etl.cli.output import Unprintable, guard_streams
from etl.cli.sanitize import sanitize
from etl.environment import load_database_url, secrets_of_environment
from etl.errors import ConfigError, EtlError
from etl.redaction import passwords_of, secrets_of_webhook
from etl.settings import (
    CONFIG_ENV,
    Settings,
    token_of_environment,
    unknown_variables,
)

_log = logging.getLogger(__name__)


def _read_config(ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
    if path is not None:
        config_file.load(ctx, path, cli.commands)
    return path


@click.group(
    cls=GlobalOptionsGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""
    \b
    First run:
      export TFY_HOST=https://your-control-plane.example TFY_API_KEY=your-token
      tfy-etl check
      tfy-etl sync

    Set an option on the command line (--page-size 100), in the environment (TFY_ETL_PAGE_SIZE=100), or in the TOML
    file named by --config (page-size = 100). Precedence: option, environment variable, config file, default. No
    option takes the token itself, because process lists show options.

    Exit codes: 0 complete, 1 failed, 2 usage or configuration error, 3 partial (records were rejected, or lists were
    not proven complete), 4 another run holds the lock, 5 delete limit exceeded, 130 interrupted.
    """,
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar=CONFIG_ENV,
    show_envvar=True,
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="TOML file with settings; its keys are the option names.",
)
@click.version_option(etl.__version__, "-V", "--version", prog_name="tfy-etl")
@click.pass_context
def cli(ctx: click.Context, /, **_options: object) -> None:
    """Copy a TrueFoundry control plane's model registry into a database.

    To try it without an account, run tfy-etl demo. The options below are valid before and after the command.
    """
    ctx.meta[UNREAD_URL], ctx.obj = ctx.obj, None
    settings = settings_of(ctx)
    ctx.obj = settings.find_token()
    secrets = [*passwords_of(settings.database_url), *secrets_of_webhook(settings.notify_url)]
    level = settings.min_log_level(terminal=logs.on_terminal())
    logs.configure(settings.log_format, level, secrets, ctx.obj)
    if file := settings.world_readable_token_file():
        _log.warning("every user of this machine can read the token file %s: run chmod go= %s", file, file)
    for name, similar in unknown_variables().items():
        _log.warning("the environment variable %s is unknown%s", name, f": did you mean {similar}?" if similar else "")


add_options("global")(cli)
for command in commands.COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line, and exit with the documented exit code."""
    # Write no core file: it would contain the token.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    sys.excepthook = logs.log_uncaught
    guard_streams()
    try:
        unread_url = _load_database_url()
        # For errors before the settings are known.
        level = Settings().min_log_level(terminal=logs.on_terminal())
        logs.configure("console", level, secrets_of_environment(), token_of_environment())
        cli.main(prog_name="tfy-etl", standalone_mode=False, obj=unread_url)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "tfy-etl"
        message = error.format_message()
        _fail(f"{message}{'' if message.endswith(('.', '?')) else '.'} See {command} --help.", error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("Interrupted.", 130)
    except EtlError as error:
        _fail(str(error), error.exit_code)
    except Unprintable as error:
        _fail(f"Cannot print the result: {error.strerror}. Fix the target of stdout, then run again.", 1)
    except OSError as error:  # click handles a closed pipe
        _fail(f"{error}. Fix this, then run again.", 1)


def _load_database_url() -> ConfigError | None:
    """Load the database URL from its file. Return the error, because help and --database-url need no file."""
    try:
        load_database_url()
    except ConfigError as error:
        return error
    return None


def _fail(message: str, code: int) -> None:
    line = " ".join(message.split())
    if logs.is_json():  # a collector of JSON lines cannot parse other lines
        _log.error(line)
    else:
        click.echo(f"Error: {sanitize(line)}", err=True)
    sys.exit(code)
