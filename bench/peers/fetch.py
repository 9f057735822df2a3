"""A lower bound: fetches and parses all pages of the three lists, without a database.

    TFY_HOST=… TFY_API_KEY=… python -m bench.peers.fetch [--page-size 1000] [--concurrency 4]

It uses the HTTP library, the decoder and the concurrency of tfy-etl. Pages do not overlap, so that nothing proves them
complete. With --concurrency 1 it requests a page only after it has processed the one before.
"""

import argparse
import json
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

from etl.source.responses import Response, parse_envelope

LISTS = ("ml-repos", "models", "model-versions")
PREFIX = "/api/ml/v1/"


class Pages:
    """Fetches the pages of lists ahead of their use."""

    def __init__(self, page_size: int, concurrency: int) -> None:
        """Read address and token from the environment, as tfy-etl does."""
        self._page_size = page_size
        self._concurrency = concurrency
        self._http = httpx.Client(
            base_url=os.environ["TFY_HOST"],
            headers={"Authorization": f"Bearer {os.environ['TFY_API_KEY']}"},
            trust_env=False,
        )

    def of(self, endpoint: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the records of each page, in order."""
        first = self._page(endpoint, 0)
        yield first["data"]
        offsets = range(self._page_size, first["pagination"]["total"], self._page_size)
        if self._concurrency == 1:
            yield from (self._page(endpoint, offset)["data"] for offset in offsets)
            return
        with ThreadPoolExecutor(self._concurrency) as pool:
            waiting: deque[Future[dict[str, Any]]] = deque()
            for offset in offsets:
                waiting.append(pool.submit(self._page, endpoint, offset))
                if len(waiting) > self._concurrency:
                    yield waiting.popleft().result()["data"]
            while waiting:
                yield waiting.popleft().result()["data"]

    def _page(self, endpoint: str, offset: int) -> dict[str, Any]:
        answer = self._http.get(PREFIX + endpoint, params={"offset": offset, "limit": self._page_size})
        received = Response(endpoint, answer.status_code, answer.headers, answer.content)
        return parse_envelope(received, list, os.environ["TFY_API_KEY"])


def options(description: str | None) -> argparse.ArgumentParser:
    """Create a parser with the options of fetching pages."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page-size", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=4)
    return parser


def main() -> None:
    """Fetch and parse all pages, and discard them."""
    args = options(__doc__).parse_args()
    pages = Pages(args.page_size, args.concurrency)
    print(json.dumps({endpoint.replace("-", "_"): sum(map(len, pages.of(endpoint))) for endpoint in LISTS}))


if __name__ == "__main__":
    main()
