"""Faults to inject between a client and the control plane, by name; each is the same in every run.

A fault may answer a request itself, change the answer, or change the registry before the answer. On the command
line it is written as `name` or `name:argument`, followed by options, each after a comma:

- `every=3`: every third request.
- `times=2`: at most twice.
- `after=5`: not the first five requests to the endpoint; `every` and `times` count from the sixth.
- `endpoint=models`: only requests for this list.

`schedule`  A fault, and the requests that it affects.
`refusals`  Errors and redirects instead of the answer.
`bodies`    The right answer, damaged or delayed.
`lists`     Well-formed pages with wrong content, and lists that change while they are read.
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
        bodies.reset, bodies.reset_inside, bodies.slow, bodies.stall, bodies.drip, bodies.endless,
        bodies.truncated_body,
        bodies.bad_json, bodies.wrong_type, bodies.broken_gzip, bodies.gzip_bomb, bodies.huge_body,
        bodies.deep_record, bodies.deep_body,
        lists.no_total, lists.wrong_total, lists.total_is, lists.empty_page, lists.same_page, lists.long_pages,
        lists.endless_list, lists.moving,
    )
}  # fmt: skip
_SCHEDULE: dict[str, Callable[[str], Any]] = {"every": int, "times": int, "after": int, "endpoint": str}


def fault(written: str) -> Fault:
    """Parse a fault from the command line. Raises ConfigError."""
    head, *options = written.split(",")
    name, _, argument = head.partition(":")
    if name not in FAULTS:
        raise ConfigError(f"Unknown fault {name!r}: the faults are {', '.join(FAULTS)}.")
    try:
        pairs = (option.partition("=") for option in options)
        schedule = {key: _SCHEDULE[key](value) for key, _, value in pairs}
        return replace(FAULTS[name](*filter(None, [argument])), **schedule)
    except (KeyError, TypeError, ValueError) as error:
        message = f"Cannot read the fault {written!r}: write name:argument,every=3,times=2,after=5,endpoint=models."
        raise ConfigError(message) from error
