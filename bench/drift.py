"""Measures the cost of reading lists that change: sweeps and requests, by list order and rate of changes.

It reads the three lists of a registry as a first run does, while a record is added, deleted or changed before every
nth request. It prints a Markdown table; `--json FILE` also writes the figures.
"""

import argparse
import itertools
import json
import random
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from etl.settings import Settings
from etl.simulator import Registry, Simulator
from etl.source import Client, Listing, ListingRead, ListingReader

ORDERS = {
    "created": "by creation, oldest first",
    "created_desc": "by creation, newest first",
    "name": "by name",
    "recent": "by recency",
    "shuffled": "different in each request",
}
LISTINGS = ("ml-repos", "models", "model-versions")
PACES = (0, 50, 10, 3, 1)
_ORDINALS = {3: "rd"}


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The results of one order and rate; `requests` is the median of all lists of a registry."""

    order: str
    pace: int
    readings: int
    in_sweeps: dict[str, int]
    unproven: int
    requests: int


def main() -> None:
    """Measure each order at each rate, a few times."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--models", type=int, default=2000)
    options.add_argument("--page-size", type=int, default=100)
    options.add_argument("--workers", type=int, default=8)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", type=Path)
    args = options.parse_args()
    figures = [measured(order, pace, args) for order in ORDERS for pace in PACES]
    if args.json:
        args.json.write_text(json.dumps([asdict(each) for each in figures], indent=1) + "\n", encoding="utf-8")
    print(table(figures))


def measured(order: str, pace: int, args: argparse.Namespace) -> Figures:
    """Read all lists of a few registries, with a change before every `pace`th request (0: none)."""
    readings: list[ListingRead] = []
    requests: list[int] = []
    for seed in range(args.rounds):
        registry = Registry.generate(seed, ml_repos=20, models=args.models, versions=5, metrics=0)
        registry.order = order
        with Simulator(registry) as plane:
            plane.before_request = work(registry, pace, seed)
            settings = Settings(host=plane.url, api_key=plane.token, concurrency=args.workers)
            with (
                Client(settings, plane.token) as client,
                ListingReader(client, args.page_size, args.workers, settings.max_sweeps) as reader,
            ):
                client.discover()
                for endpoint in LISTINGS:
                    reading = reader.read(Listing(endpoint))
                    deque(reading, maxlen=0)
                    readings.append(reading)
                requests.append(client.requests)
    return Figures(
        order=ORDERS[order],
        pace=pace,
        readings=len(readings),
        in_sweeps=dict(Counter(str(reading.sweeps) for reading in readings)),
        unproven=sum(reading.proof is None for reading in readings),
        requests=int(median(requests)),
    )


def work(registry: Registry, pace: int, seed: int) -> Callable[[int, str, dict[str, list[str]]], None]:
    """Return a hook that inserts, deletes or touches a record of the list that is being read."""
    rng, numbers, lock = random.Random(seed), itertools.count(1), threading.Lock()  # noqa: S311 no secret

    def hook(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        with lock:
            if not pace or next(numbers) % pace:
                return
            endpoint = path.rpartition("/")[2]
            parents = {"models": "ml-repos", "model-versions": "models"}
            ids = registry.ids(endpoint)
            kind = rng.choice(("insert", "delete", "touch"))
            if endpoint == "ml-repos":
                registry.add_ml_repo()
            elif kind == "insert":
                insert = registry.add_model if endpoint == "models" else registry.add_version
                insert(rng.choice(registry.ids(parents[endpoint])))
            elif kind == "delete":
                (registry.delete_model if endpoint == "models" else registry.delete_version)(rng.choice(ids))
            else:
                registry.touch(rng.choice(ids))

    return hook


def table(figures: list[Figures]) -> str:
    """Format the figures, with the ratio of requests to a read without changes."""
    without_changes = {each.order: each.requests for each in figures if not each.pace}
    head = (
        "order of the lists", "a change before", "lists read", "one sweep", "two sweeps", "three sweeps", "unproven",
        "requests", "ratio",
    )  # fmt: skip
    rows = [
        (
            each.order,
            f"every {each.pace}{_ORDINALS.get(each.pace, 'th')} request"
            if each.pace > 1
            else "every request"
            if each.pace
            else "none",
            each.readings,
            *(each.in_sweeps.get(str(sweeps), 0) for sweeps in (1, 2, 3)),
            each.unproven,
            each.requests,
            f"{each.requests / without_changes[each.order]:.2f}",
        )
        for each in figures
    ]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    main()
