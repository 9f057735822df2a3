"""What goes wrong between here and a control plane, by name, each on request and the same in every run.

A fault stands between the request and the answer: it may answer itself, change the answer, or change the
registry first. On a command line it is written `name` or `name:argument`, and then `,every=3` (each third
request), `,times=2` (twice at most), `,after=5` (not at the first five requests) and `,endpoint=models`. The
requests of `after` are those to the endpoint; `every` and `times` count from the one behind them.

schedule  one fault, and at which requests it strikes
refusals  another answer than the one asked for
bodies    the right answer, spoiled on its way
lists     pages that are well-formed and not true, and lists that move
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from etl.errors import ConfigError
from etl.simulator.faults import bodies, lists, refusals
from etl.simulator.faults.schedule import Fault, FaultContext

__all__ = ["FAULTS", "Fault", "FaultContext", "fault"]

FAULTS: dict[str, Callable[..., Fault]] = {
    made.__name__: made
    for made in (
        refusals.rate_limit, refusals.flaky_500, refusals.html_page, refusals.redirect, refusals.forbid,
        refusals.forbid_unfiltered, refusals.not_offered, refusals.expired_token_after,
        bodies.reset, bodies.reset_inside, bodies.slow, bodies.stall, bodies.drip, bodies.truncated_body,
        bodies.bad_json, bodies.wrong_type, bodies.broken_gzip, bodies.gzip_bomb, bodies.huge_body,
        bodies.deep_record, bodies.deep_body,
        lists.no_total, lists.wrong_total, lists.total_is, lists.empty_page, lists.same_page, lists.long_pages,
        lists.moving,
    )
}  # fmt: skip
_SCHEDULE: dict[str, Callable[[str], Any]] = {"every": int, "times": int, "after": int, "endpoint": str}


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
        message = f"Cannot read the fault {written!r}: write name:argument,every=3,times=2,after=5,endpoint=models."
        raise ConfigError(message) from error
