"""Pure: choose the cheapest way to read the versions."""

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from etl.durations import format_duration
from etl.setting_names import name_of
from etl.store.runs import CLOCK_SKEW

_REQUEST = 50
"""The cost of one request on the network, the client and the server, in records that could be read instead."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NEVER = timedelta.max
"""For `full_every`: no run compares every version merely because the last comparison is old.

Another run must then find changes that do not show in a model's change hash."""

ReadStrategy = Literal["none", "embedded", "by model", "sweep"]


@dataclass(frozen=True)
class Plan:
    """The way to read versions, the number of requests that it takes at least, and the reason.

    The first load knows only the number of models, so it may take many more.
    """

    way: ReadStrategy
    requests: int
    because: str

    @property
    def lists_versions(self) -> bool:
        """Whether the run reads lists of versions."""
        return self.way in {"sweep", "by model"}

    def __str__(self) -> str:
        noun = "request" if self.requests == 1 else "requests"
        cost = f", in at least {self.requests:,} {noun}" if self.requests else ""
        return f"{self.way}{cost}, because {self.because}"


def is_full(  # noqa: PLR0911, PLR0913 each reason has its own return; all are keyword-only
    *,
    asked: bool,
    grew: bool,
    last_full_at: datetime | None,
    now: datetime,
    full_every: timedelta,
    ml_repo: str | None = None,
) -> str | None:
    """Return why this run must compare every version; None if changed models suffice.

    `grew`: the last run could read only the latest versions, and this run can read all. With `ml_repo`, a comparison
    may be due before `full_every` has passed, never later: the turns of many ML repos spread over that time.
    """
    if asked:
        return f"{name_of('full')} was given"
    if grew:
        return "only the latest versions are stored, and the control plane offers all now"
    if full_every == NEVER:
        return None
    if last_full_at is None:
        return "no run has compared every version yet"
    age = now - last_full_at
    if age < -CLOCK_SKEW:
        return "the last full comparison is dated in the future: a clock was wrong"
    if age >= full_every:
        return f"the last full comparison is older than {format_duration(full_every)}"
    if ml_repo is not None and full_every and last_full_at < _last_turn(ml_repo, now, full_every):
        return f"a full comparison of this ML repo is due (interval: {format_duration(full_every)})"
    return None


def _last_turn(ml_repo: str, now: datetime, full_every: timedelta) -> datetime:
    """Return the last moment at which a full comparison of the ML repo became due: its id alone decides which."""
    digest = hashlib.blake2b(ml_repo.encode(errors="surrogatepass"), digest_size=8).digest()
    offset = full_every * (int.from_bytes(digest) / 2**64)
    try:
        return now - (now - _EPOCH - offset) % full_every
    except OverflowError:  # before the year 1
        return _EPOCH


def plan_versions(  # noqa: PLR0913 all are keyword-only
    *, why_full: str | None, due: int, models: int, stored: int, page_size: int, can_sweep: bool
) -> Plan:
    """Choose between one request for each model due and one sweep of all versions.

    The number of `stored` versions estimates the length of a sweep and the versions of one model. Pages overlap by one
    record. Without `can_sweep`, the scope is neither the whole registry nor whole ML repos: versions are read by model.
    """
    pages = max(1, math.ceil((max(stored, due) - 1) / max(page_size - 1, 1)))
    if why_full is not None:
        return Plan("sweep", pages, why_full) if can_sweep else Plan("by model", models, why_full)
    if due == 0:
        return Plan("none", 0, "no model looks changed")
    changed = "1 model looks changed" if due == 1 else f"{due} models look changed"
    if can_sweep and stored and pages * _REQUEST + stored < due * (_REQUEST + stored / max(models, 1)):
        return Plan("sweep", pages, f"{changed}, and one sweep is faster than a request for each")
    return Plan("by model", due, changed)
