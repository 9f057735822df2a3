"""The command that shows the settings: config show."""

import click

from etl.cli.lazy import imports_without_gc
from etl.cli.options import output_option


@click.group()
def config() -> None:
    """Show the settings and where they come from."""


@config.command()
@output_option
@click.pass_context
def show(ctx: click.Context, output: str) -> None:
    """Show each setting, its value, and its source.

    The source is an option, an environment variable, the config file, or the default. Secrets are shown as ****.
    """
    with imports_without_gc():
        from etl.cli.config import show_config
    show_config(ctx.find_root(), output)
