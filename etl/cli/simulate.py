"""`tfy-etl simulate`: the simulated control plane alone, for development and for trying things out."""

import os
import signal
import threading

import click

from etl.errors import ConfigError
from etl.settings import TOKEN_ENV, token_of_environment
from etl.simulator import FAULTS, Registry, Simulator, fault

DEFAULT_TOKEN = "demo-token"  # noqa: S105 it opens nothing

_LARGEST_PORT = 65_535
_COUNT = click.IntRange(min=0)


@click.command(epilog=f"Faults: {', '.join(sorted(FAULTS))}; such as --fault flaky_500:503,every=3,times=2.")
@click.option(
    "--port",
    type=click.IntRange(0, _LARGEST_PORT),
    default=0,
    show_default="a free one",
    help="Port on the loopback address.",
)
@click.option("--ml-repos", type=click.IntRange(min=1), default=3, show_default=True, help="ML repos to make up.")
@click.option("--models", type=_COUNT, default=40, show_default=True, help="Models to make up.")
@click.option("--versions", type=_COUNT, default=5, show_default=True, help="Versions of each model.")
@click.option("--metrics", type=_COUNT, default=10, show_default=True, help="Metrics of each version.")
@click.option("--seed", default=0, show_default=True, help="The same seed makes the same registry.")
@click.option(
    "--latency", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Seconds before each answer."
)
@click.option(
    "--max-limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Largest page that is served."
)
@click.option("--fault", "faults", multiple=True, help="A fault by name; may be repeated.")
def simulate(  # noqa: PLR0913 an option each
    *,
    port: int,
    ml_repos: int,
    models: int,
    versions: int,
    metrics: int,
    seed: int,
    latency: float,
    max_limit: int,
    faults: tuple[str, ...],
) -> None:
    """Serve a made-up registry over HTTP until stopped.

    The token is what TFY_API_KEY holds, else demo-token.
    """
    registry = Registry.generate(seed, ml_repos=ml_repos, models=models, versions=versions, metrics=metrics)
    token = token_of_environment() or DEFAULT_TOKEN
    simulator = Simulator(
        registry, token=token, port=port, latency=latency, max_limit=max_limit, faults=[fault(each) for each in faults]
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        simulator.start()
    except OSError as error:
        raise ConfigError(f"Cannot listen on port {port}: {os.strerror(error.errno or 0)}.") from error
    click.echo(f"TFY_HOST={simulator.url} TFY_API_KEY={DEFAULT_TOKEN if token == DEFAULT_TOKEN else f'${TOKEN_ENV}'}")
    stop.wait()
    simulator.stop()
