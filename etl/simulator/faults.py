"""What goes wrong between here and a control plane, by name, each on request and the same in every run.

A fault stands between the request and the answer: it may answer itself, change the answer, or change the
registry first. On a command line it is written `name` or `name:argument`, and then `,every=3` (each third
request), `,times=2` (twice at most) and `,endpoint=models`.
"""

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from etl.errors import ConfigError
from etl.simulator.entry import ML_REPOS, MODEL_VERSIONS, MODELS
from etl.simulator.exchange import Answer, Proceed, Request, dumps, html_answer, refusal
from etl.simulator.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What a fault may look at or change: the request, the list it asks for, and the registry."""

    request: Request
    endpoint: str
    registry: Registry


Strike = Callable[[Circumstances, Proceed], Answer]


@dataclass
class Fault:
    """Something that goes wrong at each `every`th request to `endpoint` (to any, if empty), `times` times."""

    strike: Strike
    every: int = 1
    times: int | None = None
    endpoint: str = ""
    _seen: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a schedule that cannot be kept."""
        if self.every < 1:
            raise ValueError(f"A fault cannot strike every {self.every} requests.")

    def __call__(self, circumstances: Circumstances, proceed: Proceed) -> Answer:
        """The answer that the client gets; `proceed` is what it would get without this fault."""
        return self.strike(circumstances, proceed) if self._due(circumstances.endpoint) else proceed()

    def _due(self, endpoint: str) -> bool:
        if self.endpoint not in {"", endpoint}:
            return False
        with self._lock:
            self._seen += 1
            struck, early = divmod(self._seen, self.every)
            return not early and (self.times is None or struck <= self.times)


def rate_limit(retry_after: str = "0") -> Fault:
    """429 with a `Retry-After`, in seconds or as an HTTP date."""
    return _always(refusal(429, "Too many requests.", headers=(("Retry-After", retry_after),)))


def flaky_500(status: str = "500") -> Fault:
    """An error of the server that passes."""
    return _always(refusal(int(status), "Internal server error."))


def truncated_body() -> Fault:
    """The connection ends in the middle of a body whose whole length was announced."""

    def strike(_: Circumstances, proceed: Proceed) -> Answer:
        answer = proceed()
        return replace(answer, sent=len(answer.body) // 2)

    return Fault(strike)


def html_page() -> Fault:
    """A page for people, with status 200: a login, a proxy, the edge."""
    return _always(html_answer())


def reset() -> Fault:
    """The connection is reset before anything came."""
    return _always(Answer(reset=True))


def slow(seconds: str = "1") -> Fault:
    """The right answer, late."""
    delay = float(seconds)
    return Fault(lambda _, proceed: replace(proceed(), delay=delay))


def forbid(endpoint: str = "") -> Fault:
    """403 for everything, or for one endpoint."""
    return replace(_always(refusal(403, "Forbidden: the token may not read this.")), endpoint=endpoint)


def bad_json() -> Fault:
    """A body of the right length that breaks off in the middle of a record."""

    def strike(_: Circumstances, proceed: Proceed) -> Answer:
        answer = proceed()
        return replace(answer, body=answer.body[: len(answer.body) // 2])

    return Fault(strike)


def wrong_total(by: str = "1") -> Fault:
    """`pagination.total` is off, by one or by so many."""
    error = int(by)

    def shift(pagination: dict[str, Any]) -> None:
        pagination["total"] += error

    return Fault(lambda _, proceed: _repaginated(proceed(), shift))


def no_total() -> Fault:
    """`pagination.total` is not there."""
    return Fault(lambda _, proceed: _repaginated(proceed(), lambda pagination: pagination.pop("total", None)))


def redirect(target: str = "https://elsewhere.example/login") -> Fault:
    """302 to somewhere else, where no token must go."""
    return _always(Answer(status=302, headers=(("Location", target),)))


def expired_token_after(requests: str = "1") -> Fault:
    """The token is good for so many requests, then 401."""
    last = int(requests)

    def strike(circumstances: Circumstances, proceed: Proceed) -> Answer:
        expired = circumstances.request.number > last
        return refusal(401, "Unauthorized: the token has expired.") if expired else proceed()

    return Fault(strike)


def moving(seed: str = "0") -> Fault:
    """Somebody works in the registry: before each answer a record comes, goes or changes."""
    draw = random.Random(int(seed))  # noqa: S311 (made-up work)
    one_at_a_time = threading.Lock()

    def strike(circumstances: Circumstances, proceed: Proceed) -> Answer:
        with one_at_a_time:
            _move(circumstances.registry, draw)
        return proceed()

    return Fault(strike)


FAULTS: dict[str, Callable[..., Fault]] = {
    made.__name__: made
    for made in (
        rate_limit, flaky_500, truncated_body, html_page, reset, slow, forbid, bad_json, wrong_total,
        no_total, redirect, expired_token_after, moving,
    )
}  # fmt: skip
_SCHEDULE: dict[str, Callable[[str], Any]] = {"every": int, "times": int, "endpoint": str}


def fault(written: str) -> Fault:
    """A fault as it is written on a command line. Raises ConfigError."""
    head, *options = written.split(",")
    name, _, argument = head.partition(":")
    if name not in FAULTS:
        raise ConfigError(f"No fault is called {name!r}: there are {', '.join(FAULTS)}.")
    try:
        pairs = (option.partition("=") for option in options)
        schedule = {key: _SCHEDULE[key](value) for key, _, value in pairs}
        return replace(FAULTS[name](*filter(None, [argument])), **schedule)
    except (KeyError, TypeError, ValueError) as error:
        message = f"Cannot read the fault {written!r}: write name:argument,every=3,times=2."
        raise ConfigError(message) from error


def _always(answer: Answer) -> Fault:
    return Fault(lambda _, __: answer)


def _repaginated(answer: Answer, change: Callable[[dict[str, Any]], object]) -> Answer:
    head, mark, tail = answer.body.rpartition(b'"pagination":')
    if not mark:
        return answer
    # Only the end of the envelope is read again: its data may be megabytes, and need not be readable.
    pagination = json.loads(tail.removesuffix(b"}"))
    change(pagination)
    return replace(answer, body=head + mark + dumps(pagination) + b"}")


def _move(registry: Registry, draw: random.Random) -> None:
    moves: tuple[tuple[str, Callable[[str], object]], ...] = (
        (ML_REPOS, registry.add_model),
        (MODELS, registry.add_version),
        (MODELS, registry.touch),
        (MODEL_VERSIONS, registry.touch),
        (MODEL_VERSIONS, registry.delete_version),
    )
    entity, move = draw.choice(moves)
    if ids := registry.ids(entity):
        move(draw.choice(ids))
