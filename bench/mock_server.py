"""A mock control plane that is fast enough not to limit a benchmark: its responses are slices of prepared files.

`python -m bench.mock_server DATASET` serves until stdin closes; it prints its address first.
`python -m bench.mock_server --measure [--models 2000]` measures its own speed, with a client that drops the bytes.

It serves the three lists with `offset`, `limit`, `ml_repo_id` and `model_id`, and single records. It refuses any other
request. `/_bench?state=changed&latency=0.05` selects a state of the dataset, sets the seconds before each response,
and returns the number of requests and bytes served since the last such call.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs
from urllib.request import ProxyHandler, build_opener

from bench.dataset import BASE, STATES, VERSIONS, Dataset, prepare
from bench.environment import BARE
from etl.simulator import ENTITIES, ML_REPOS, MODEL_VERSIONS, MODELS

TOKEN = "bench-token"  # noqa: S105 it opens nothing
PREFIX = "/api/ml/v1/"
MAX_LIMIT = 1000
_CONTROL = "/_bench"
_KNOWN = {
    ML_REPOS: {"offset", "limit"},
    MODELS: {"offset", "limit", "ml_repo_id"},
    MODEL_VERSIONS: {"offset", "limit", "ml_repo_id", "model_id"},
}
_BACKLOG = 128
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 422: "Unprocessable Content"}

Piece = bytes | memoryview


class Refused(Exception):
    """A rejected request: its status and a message."""


class Served(NamedTuple):
    """Requests served since the last call, and the bytes of their bodies."""

    requests: int
    bytes: int


class MockServer:
    """The API over the states of a dataset."""

    def __init__(self, datasets: Mapping[str, Dataset]) -> None:
        self._datasets = datasets
        self._dataset = datasets[BASE]
        self._latency = 0.0
        self._lock = threading.Lock()
        self._requests = self._bytes = 0

    def serve_connection(self, connection: socket.socket) -> None:
        """Answer requests until the client disconnects."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = b""
        with connection:
            while True:
                while (end := buffer.find(b"\r\n\r\n")) < 0:
                    received = connection.recv(65_536)
                    if not received:
                        return
                    buffer += received
                head, buffer = buffer[:end].decode("latin-1"), buffer[end + 4 :]
                _send(connection, *self._respond(head))

    def _respond(self, head: str) -> tuple[int, list[Piece]]:
        """Return status and body."""
        method, target, _ = head.split(" ", 2)
        path, _, query = target.partition("?")
        if path == _CONTROL:
            return 200, [self._control(parse_qs(query))]
        try:
            _check(method, head)
            status, body = 200, self._body(path, parse_qs(query, keep_blank_values=True))
        except Refused as refusal:
            status, body = refusal.args[0], [json.dumps({"message": refusal.args[1]}).encode()]
        if self._latency:
            time.sleep(self._latency)
        with self._lock:
            self._requests += 1
            self._bytes += sum(map(len, body))
        return status, body

    def _control(self, query: dict[str, list[str]]) -> bytes:
        with self._lock:
            served = Served(self._requests, self._bytes)
            self._requests = self._bytes = 0
            self._dataset = self._datasets[query["state"][0]] if "state" in query else self._dataset
            self._latency = float(query["latency"][0]) if "latency" in query else self._latency
        return json.dumps(served._asdict()).encode()

    def _body(self, path: str, query: dict[str, list[str]]) -> list[Piece]:
        entity, _, record_id = path.removeprefix(PREFIX).partition("/")
        if not path.startswith(PREFIX) or entity not in ENTITIES:
            raise Refused(404, f"unknown path {path}")
        unknown = sorted(query.keys() - (set() if record_id else _KNOWN[entity]))
        if unknown:
            raise Refused(400, f"unknown parameters {', '.join(unknown)}")
        return self._one(entity, record_id) if record_id else self._page(entity, query)

    def _one(self, entity: str, record_id: str) -> list[Piece]:
        listed = self._dataset.lists[entity]
        position = listed.positions.get(record_id.encode())
        if position is None:
            raise Refused(404, f"no {entity} with id {record_id}")
        return [b'{"data":', listed.slice(position, position + 1), b"}"]

    def _page(self, entity: str, query: dict[str, list[str]]) -> list[Piece]:
        offset, limit = _number(query, "offset", 0), _number(query, "limit", 100)
        if not 0 < limit <= MAX_LIMIT:
            raise Refused(422, f"limit should be from 1 to {MAX_LIMIT}")
        listed = self._dataset.lists[entity]
        positions = self._positions(entity, query)
        # Adjacent records are one slice; others, such as the models of an ML repo, have to be joined.
        if isinstance(positions, range):
            first = positions.start + offset
            records: Piece = listed.slice(first, max(first, min(first + limit, positions.stop)))
        else:
            records = listed.join(positions[offset : offset + limit])
        foot = b'],"pagination":{"total":%d,"offset":%d,"limit":%d}}' % (len(positions), offset, limit)
        return [b'{"data":[', records, foot]

    def _positions(self, entity: str, query: dict[str, list[str]]) -> Sequence[int]:
        if "model_id" in query:
            return self._dataset.of_model(query["model_id"][0].encode())
        if "ml_repo_id" in query:
            return self._dataset.of_repo(entity, query["ml_repo_id"][0].encode())
        return range(len(self._dataset.lists[entity]))


def _check(method: str, head: str) -> None:
    if method != "GET":
        raise Refused(400, "only GET is answered")
    if f"authorization: bearer {TOKEN}" not in head.lower().split("\r\n"):
        raise Refused(401, "the token is missing or not valid")


def _number(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[-1]
    if not text.isdecimal():
        raise Refused(422, f"{name} should be a whole number")
    return int(text)


def _send(connection: socket.socket, status: int, body: list[Piece]) -> None:
    length = sum(map(len, body))
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    pieces: list[Piece] = [head.encode(), *body]
    sent = connection.sendmsg(pieces)
    for piece in pieces:  # a socket may accept less than all at once
        if sent < len(piece):
            connection.sendall(memoryview(piece)[sent:])
        sent = max(0, sent - len(piece))


def serve(dataset: Path) -> None:
    """Serve until stdin closes, which also happens if the parent is killed."""
    plane = MockServer(Dataset.all_of(dataset))
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)

        def accept() -> None:
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=plane.serve_connection, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.read()


class Running:
    """A mock server in its own process, controlled by the benchmark."""

    def __init__(self, dataset: Path) -> None:
        command = [sys.executable, "-m", "bench.mock_server", str(dataset)]
        self._process = subprocess.Popen(  # noqa: S603 our own command
            command, env=BARE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None  # noqa: S101 it is a pipe
        self.url = self._process.stdout.readline().strip()
        # A proxy from the environment does not apply to this machine.
        self._http = build_opener(ProxyHandler({}))

    def switch(self, **settings: Any) -> Served:
        """Select a state and a latency; return what was served since the last call."""
        query = "&".join(f"{name}={value}" for name, value in settings.items())
        with self._http.open(f"{self.url}{_CONTROL}?{query}") as answer:
            return Served(**json.load(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


@contextmanager
def running(models: int, *, states: Sequence[str] = STATES, **shape: int) -> Iterator[tuple[Running, Path]]:
    """Yield a mock server of a registry of this many models, and its dataset; `shape` is for `prepare`."""
    with tempfile.TemporaryDirectory(prefix="tfy-etl-bench-") as folder:
        dataset = Path(folder) / "dataset"
        prepare(dataset, models, states=states, **shape)
        with Running(dataset) as plane:
            yield plane, dataset


def speed(plane: Running, versions: int, *, limit: int, connections: int, pages: int) -> dict[str, float]:
    """Pages and megabytes per second that the mock server sends to clients which only read."""
    address = plane.url.removeprefix("http://").split(":")
    readers = [
        threading.Thread(target=_drain, args=((address[0], int(address[1])), versions, limit, pages // connections))
        for _ in range(connections)
    ]
    plane.switch()
    began = time.monotonic()
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    seconds = time.monotonic() - began
    served = plane.switch()
    return {
        "limit": limit,
        "connections": connections,
        "page_kb": round(served.bytes / served.requests / 1000),
        "pages_per_s": round(served.requests / seconds),
        "mb_per_s": round(served.bytes / seconds / 1e6),
    }


def _drain(address: tuple[str, int], versions: int, limit: int, pages: int) -> None:
    """Request this number of pages of versions, and read them into one buffer."""
    scratch = memoryview(bytearray(2**20))
    with socket.create_connection(address) as connection:
        for page in range(pages):
            target = f"{PREFIX}{MODEL_VERSIONS}?offset={page * limit % versions}&limit={limit}"
            connection.sendall(f"GET {target} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
            received = bytes(scratch[: connection.recv_into(scratch)])
            while b"\r\n\r\n" not in received:
                received += bytes(scratch[: connection.recv_into(scratch)])
            head, _, body = received.partition(b"\r\n\r\n")
            missing = int(head.rpartition(b": ")[2]) - len(body)
            while missing:
                missing -= connection.recv_into(scratch, min(missing, len(scratch)))


def speeds(plane: Running, versions: int) -> list[dict[str, float]]:
    """Measure the speed of the mock server, for two page sizes and for one and several connections."""
    return [
        speed(plane, versions, limit=limit, connections=connections, pages=300_000 // limit)
        for limit in (100, MAX_LIMIT)
        for connections in (1, 4)
    ]


def main() -> None:
    """Serve, or measure the speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, nargs="?", help="folder that bench.dataset has prepared")
    parser.add_argument("--measure", action="store_true", help="measure the speed of the server alone")
    parser.add_argument("--models", type=int, default=2000, help="number of models to measure with")
    args = parser.parse_args()
    if args.measure:
        with running(args.models) as (plane, _):
            for served in speeds(plane, args.models * VERSIONS):
                print(json.dumps(served))
    elif args.dataset:
        serve(args.dataset)
    else:
        parser.error("name a dataset, or give --measure")


if __name__ == "__main__":
    main()
