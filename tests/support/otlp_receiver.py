"""An HTTP server that receives OTLP exports and webhooks."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


class Post(NamedTuple):
    """A received request."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Parse the body as JSON."""
        return json.loads(self.body)


@dataclass
class OtlpReceiver:
    """Accepts every POST, and answers with a status, or byte by byte without an end if `drips`."""

    url: str = ""
    status: int = 200
    location: str = ""
    drips: bool = False
    posts: list[Post] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def to(self, path: str) -> list[Post]:
        """Return the requests to a path."""
        return [each for each in self.posts if each.path == path]


@contextmanager
def receiver() -> Iterator[OtlpReceiver]:
    """Yield a receiver on the loopback address."""
    state = OtlpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            state.posts.append(Post(self.path, dict(self.headers.items()), body))
            while state.drips and not state.stopped.wait(0.05):
                self.wfile.write(b"H")
            if not state.drips:
                self.send_response(state.status)
                if state.location:
                    self.send_header("Location", state.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield state
        finally:
            state.stopped.set()
            server.shutdown()
            thread.join()


class Span(NamedTuple):
    """A received span."""

    name: str
    id: bytes
    parent: bytes
    error: str
    attributes: dict[str, Any]
    resource: dict[str, Any]


def spans(collector: OtlpReceiver) -> list[Span]:
    """Return all received spans, in the order of their start."""
    found: list[tuple[int, Span]] = []
    for post in collector.to("/v1/traces"):
        request = ExportTraceServiceRequest.FromString(post.body)
        for of_resource in request.resource_spans:
            resource = _attributes(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                for each in of_scope.spans:
                    span = Span(
                        each.name, each.span_id, each.parent_span_id, each.status.message,
                        _attributes(each.attributes), resource,
                    )  # fmt: skip
                    found.append((each.start_time_unix_nano, span))
    return [span for _, span in sorted(found, key=lambda each: each[0])]


Points = dict[tuple[tuple[str, Any], ...], float]


def metrics(collector: OtlpReceiver) -> dict[str, Points]:
    """Return the last points of each metric, by attributes; for a histogram its sum."""
    found: dict[str, Points] = {}
    for post in collector.to("/v1/metrics"):
        request = ExportMetricsServiceRequest.FromString(post.body)
        for of_resource in request.resource_metrics:
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    points: Points = {}
                    for number in [*metric.sum.data_points, *metric.gauge.data_points]:
                        points[_key(number.attributes)] = number.as_int or number.as_double
                    for histogram in metric.histogram.data_points:
                        points[_key(histogram.attributes)] = histogram.sum
                    found[f"{metric.name} {metric.unit}"] = points
    return found


def _key(attributes: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(_attributes(attributes).items()))


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: KeyValue) -> Any:
    kind = pair.value.WhichOneof("value")
    return None if kind is None else getattr(pair.value, kind)
