"""A fault, and the requests that it affects."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from etl.simulator.http_types import Proceed, Request, Response
from etl.simulator.registry import Registry


@dataclass(frozen=True, kw_only=True)
class FaultContext:
    """The request, its list and the registry, for use by a fault. `ask` answers any other request."""

    request: Request
    endpoint: str
    registry: Registry
    ask: Callable[[Request], Response]


Apply = Callable[[FaultContext, Proceed], Response]


@dataclass
class Fault:
    """A fault that affects every `every`th request to `endpoint` (to any if empty), at most `times` times.

    The first `after` requests to the endpoint are not affected, and `every` does not count them.
    """

    apply: Apply
    every: int = 1
    times: int | None = None
    endpoint: str = ""
    after: int = 0
    _seen: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        """Reject an impossible schedule with a ValueError."""
        if self.every < 1:
            raise ValueError(f"A fault cannot affect every {self.every} requests.")
        if self.after < 0:
            raise ValueError(f"A fault cannot start after {self.after} requests.")

    def __call__(self, context: FaultContext, proceed: Proceed) -> Response:
        """Answer a request; `proceed` returns the answer without this fault."""
        return self.apply(context, proceed) if self._is_due(context.endpoint) else proceed()

    def _is_due(self, endpoint: str) -> bool:
        if self.endpoint not in {"", endpoint}:
            return False
        with self._lock:
            self._seen += 1
            struck, early = divmod(self._seen - self.after, self.every)
            return struck > 0 and not early and (self.times is None or struck <= self.times)


def always(answer: Response) -> Fault:
    """Create a fault that always returns this answer."""
    return Fault(lambda _, __: answer)


def transformed(transform: Callable[[Response], Response]) -> Fault:
    """Create a fault that transforms the right answer."""
    return Fault(lambda _, proceed: transform(proceed()))
