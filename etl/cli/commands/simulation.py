"""Commands that use the simulated control plane: demo, simulate."""

import logging
from pathlib import Path
from typing import Any

import click

from etl.cli.lazy import imports_without_gc
from etl.cli.options import Duration, settings_of
from etl.settings import DEMO_FILE

_COUNT = click.IntRange(min=0)


@click.command()
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEMO_FILE,
    show_default=True,
    help="SQLite file to create, with the report beside it; files are replaced only if they have the default name.",
)
@click.pass_context
def demo(ctx: click.Context, file: Path) -> None:
    """Try a sync with a simulated registry, without an account.

    Syncs the simulated registry into SQLite, changes it, syncs it again, shows what changed, and writes the report.
    Connects only to this machine.
    """
    with imports_without_gc():
        from etl.cli.demo import run_demo
    settings = settings_of(ctx)
    if settings.log_level is None and not (settings.quiet or settings.verbose):
        logging.getLogger().setLevel(logging.WARNING)  # the demo prints its result on stdout
    run_demo(file, progress=settings.wants_progress())


class _NamesFaults(click.Command):
    """A command whose help lists the faults that exist."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from etl.simulator import FAULTS

        self.epilog = (
            f"Faults: {', '.join(sorted(FAULTS))}. Example: --fault flaky_500:503,every=3,times=2. With after=5, a "
            "fault skips the first five requests to its endpoint: "
            "--fault not_offered:404,endpoint=model-versions,after=5."
        )
        super().format_epilog(ctx, formatter)


@click.command(cls=_NamesFaults)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8765,
    show_default=True,
    help="Port on the loopback address; 0 chooses a free one.",
)
@click.option(
    "--change-every",
    type=Duration(),
    metavar="DURATION",
    help="Change the registry at this interval, such as 1m: new versions, moved tags, other descriptions.",
)
@click.option("--ml-repos", type=click.IntRange(min=1), default=3, show_default=True, help="Number of ML repos.")
@click.option("--models", type=_COUNT, default=40, show_default=True, help="Number of models.")
@click.option("--versions", type=_COUNT, default=5, show_default=True, help="Versions per model.")
@click.option("--metrics", type=_COUNT, default=10, show_default=True, help="Metrics per version.")
@click.option("--seed", default=0, show_default=True, help="Random seed; the same seed gives the same registry.")
@click.option(
    "--latency",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Seconds to wait before each response.",
)
@click.option(
    "--max-limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Maximum records per page."
)
@click.option(
    "--offers",
    metavar="LISTS",
    default="ml-repos,models,model-versions",
    show_default=True,
    help="Lists that the control plane offers, comma-separated.",
)
@click.option(
    "--forbids", metavar="LISTS", default="", help="Lists that the token may not read (403), comma-separated."
)
@click.option(
    "--not-offered",
    type=click.Choice(("404", "405", "410", "501", "html")),
    default="404",
    show_default=True,
    help="Response of the other lists: an HTTP status, or an HTML page with status 200.",
)
@click.option("--fault", "faults", multiple=True, help="Fault to inject; repeatable.")
def simulate(**own: Any) -> None:
    """Serve a simulated registry over HTTP until stopped.

    Prints the export lines for another terminal. Accepts the token in TFY_API_KEY, or
    else demo-token. Ctrl+C stops it.
    """
    with imports_without_gc():
        from etl.cli.simulate import serve
    serve(**own)
