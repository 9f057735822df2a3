"""Pure: how the versions are to be read, at the least cost."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

_REQUEST = 50
"""What a request costs on its way and at both ends, in records that could be read instead."""

NEVER = timedelta.max
"""For `full_every`: no run compares every version by itself; what the models' marks do not show stays for another."""

Way = Literal["none", "embedded", "by model", "sweep"]


@dataclass(frozen=True)
class Plan:
    """How versions are read, about how many requests that takes, and why."""

    way: Way
    requests: int
    because: str


def is_full(
    *, asked: bool, grew: bool, last_full_at: datetime | None, now: datetime, full_every: timedelta
) -> str | None:
    """Why every version must be compared in this run, or None when changed models will do.

    `grew`: the last run could read the latest versions alone, and this one can read all.
    """
    if asked:
        return "--full was given"
    if grew:
        return "only the latest versions are stored, and the control plane offers all now"
    if full_every == NEVER:
        return None
    if last_full_at is None:
        return "no run has compared every version yet"
    if now - last_full_at >= full_every:
        return f"the last full comparison is older than {full_every}"
    return None


def plan_versions(  # noqa: PLR0913 each by its name
    *, why_full: str | None, due: int, models: int, stored: int, page_size: int, can_sweep: bool
) -> Plan:
    """Choose between one request for each model due and one sweep of all versions.

    `stored` versions tell how long a sweep would be, and how many versions a model has; pages overlap by one record.
    Where the scope is neither the whole registry nor whole ML repos (`can_sweep`), versions are read by model.
    """
    pages = math.ceil(max(stored, due) / max(page_size - 1, 1)) + 1
    if why_full is not None:
        return Plan("sweep", pages, why_full) if can_sweep else Plan("by model", models, why_full)
    if due == 0:
        return Plan("none", 0, "no model looks changed")
    if can_sweep and stored and pages * _REQUEST + stored < due * (_REQUEST + stored / max(models, 1)):
        return Plan("sweep", pages, f"{due} models look changed, and one sweep takes less than asking for each")
    return Plan("by model", due, f"{due} models look changed")
