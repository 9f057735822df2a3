"""One fault: what it does, and at which requests."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from etl.simulator.http_types import Answer, Proceed, Request
from etl.simulator.registry import Registry


@dataclass(frozen=True, kw_only=True)
class FaultContext:
    """What a fault may look at or change: the request, the list it asks for, and the registry.

    `ask` gives the right answer to any other request.
    """

    request: Request
    endpoint: str
    registry: Registry
    ask: Callable[[Request], Answer]


Apply = Callable[[FaultContext, Proceed], Answer]


@dataclass
class Fault:
    """Something that goes wrong at each `every`th request to `endpoint` (to any, if empty), `times` times.

    The first `after` requests to the endpoint pass, and count for nothing: `every` counts from there.
    """

    apply: Apply
    every: int = 1
    times: int | None = None
    endpoint: str = ""
    after: int = 0
    _seen: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a schedule that cannot be kept."""
        if self.every < 1:
            raise ValueError(f"A fault cannot strike every {self.every} requests.")
        if self.after < 0:
            raise ValueError(f"A fault cannot start after {self.after} requests.")

    def __call__(self, context: FaultContext, proceed: Proceed) -> Answer:
        """The answer that the client gets; `proceed` is what it would get without this fault."""
        return self.apply(context, proceed) if self._is_due(context.endpoint) else proceed()

    def _is_due(self, endpoint: str) -> bool:
        if self.endpoint not in {"", endpoint}:
            return False
        with self._lock:
            self._seen += 1
            struck, early = divmod(self._seen - self.after, self.every)
            return struck > 0 and not early and (self.times is None or struck <= self.times)


def always(answer: Answer) -> Fault:
    """The same answer to whatever was asked."""
    return Fault(lambda _, __: answer)


def transformed(transform: Callable[[Answer], Answer]) -> Fault:
    """The right answer, and what becomes of it."""
    return Fault(lambda _, proceed: transform(proceed()))
