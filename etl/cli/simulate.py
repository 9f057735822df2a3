"""`tfy-etl simulate`: run the simulated control plane, for development and tests."""

import os
import random
import signal
import threading
from datetime import timedelta

import click

from etl.errors import ConfigError
from etl.settings import TOKEN_ENV, token_of_environment
from etl.simulator import ENTITIES, Registry, Simulator, fault, make_edit

DEFAULT_TOKEN = "demo-token"  # noqa: S105 it is no secret


def serve(  # noqa: PLR0913 one for each option
    *,
    port: int,
    ml_repos: int,
    models: int,
    versions: int,
    metrics: int,
    seed: int,
    latency: float,
    max_limit: int,
    offers: str,
    forbids: str,
    not_offered: str,
    faults: tuple[str, ...],
    change_every: timedelta | None,
) -> None:
    """Generate a registry, and serve it until a signal stops the process."""
    registry = Registry.generate(seed, ml_repos=ml_repos, models=models, versions=versions, metrics=metrics)
    token = token_of_environment() or DEFAULT_TOKEN
    simulator = Simulator(
        registry,
        token=token,
        port=port,
        latency=latency,
        max_limit=max_limit,
        offers=_lists("--offers", offers),
        forbids=_lists("--forbids", forbids),
        not_offered=None if not_offered == "html" else int(not_offered),
        faults=[fault(each) for each in faults],
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        simulator.start()
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on port {port}: {os.strerror(error.errno or 0)}. Choose another --port."
        ) from error
    _print_exports(simulator.url, token)
    chance = random.Random(seed)  # noqa: S311 it chooses edits
    while not stop.wait(None if change_every is None else max(change_every.total_seconds(), 0.1)):
        make_edit(registry, chance)
    simulator.stop()


def _print_exports(url: str, token: str) -> None:
    """Print lines for the shell of another terminal to stdout, and what to do with them to stderr."""
    click.echo(f"export TFY_HOST={url}")
    if token == DEFAULT_TOKEN:
        click.echo(f"export {TOKEN_ENV}={DEFAULT_TOKEN}")
        advice = "Paste these lines into another terminal."
    else:  # never print a token of the user's own
        advice = f"Paste this line into another terminal, and set {TOKEN_ENV} there as here."
    click.echo(f"{advice} Ctrl+C stops the simulation.", err=True)


def _lists(option: str, value: str) -> frozenset[str]:
    """The names in a comma-separated list. ConfigError for unknown ones."""
    names = frozenset(filter(None, (name.strip() for name in value.split(","))))
    if unknown := sorted(names - set(ENTITIES)):
        raise ConfigError(f"{option} names an unknown list {unknown[0]!r}: use {', '.join(ENTITIES)}.")
    return names
