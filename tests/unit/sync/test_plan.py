from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from etl.sync.plan import NEVER, Plan, is_full, plan_versions

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def _plan(**given: Any) -> Plan:
    usual = {"why_full": None, "due": 1, "models": 10, "stored": 50, "page_size": 21, "can_sweep": True}
    return plan_versions(**usual | given)


def test_nothing_is_read_when_no_model_looks_changed() -> None:
    assert _plan(due=0) == Plan("none", 0, "no model looks changed")


def test_few_changed_models_are_read_one_by_one() -> None:
    assert _plan(due=3) == Plan("by model", 3, "3 models look changed")
    assert _plan(due=1) == Plan("by model", 1, "1 model looks changed")


def test_many_changed_models_are_read_in_one_sweep() -> None:
    assert _plan(due=5) == Plan("sweep", 3, "5 models look changed, and one sweep takes less than asking for each")


def test_the_number_of_requests_is_a_lower_bound() -> None:
    assert [_plan(why_full="asked", stored=stored).requests for stored in (0, 1, 21, 22, 41, 42)] == [1, 1, 1, 2, 2, 3]
    assert str(_plan(why_full="asked", due=8000, page_size=500)) == "sweep, in at least 17 requests, because asked"
    assert str(_plan(due=1)) == "by model, in at least 1 request, because 1 model looks changed"
    assert str(_plan(due=0)) == "none, because no model looks changed"


def test_a_filtered_run_never_sweeps() -> None:
    assert _plan(due=5, can_sweep=False).way == "by model"
    assert _plan(why_full="asked", can_sweep=False) == Plan("by model", 10, "asked")


def test_a_full_run_sweeps_though_nothing_looks_changed() -> None:
    assert _plan(why_full="asked", due=0) == Plan("sweep", 3, "asked")


def test_pages_of_one_record_can_be_planned() -> None:
    assert _plan(why_full="asked", page_size=1).requests == 49


def test_a_few_small_requests_are_less_than_a_sweep_of_large_pages() -> None:
    large = {"models": 10_000, "stored": 50_000, "page_size": 1000}
    assert _plan(due=100, **large).way == "by model"  # 100 requests for 500 records, not 50 for 50,000
    assert _plan(due=2000, **large).way == "sweep"


@given(due=st.integers(1, 10**6), stored=st.integers(0, 10**6), page_size=st.integers(1, 1000))
def test_a_sweep_takes_neither_more_requests_nor_more_records_than_it_must(
    due: int, stored: int, page_size: int
) -> None:
    plan = _plan(due=due, models=max(due, 10), stored=stored, page_size=page_size)
    assert plan.requests <= due
    assert plan.way == "by model" or stored <= due * (50 + stored / max(due, 10))


def test_a_run_is_full_when_asked_first_after_too_long_or_when_coverage_grew() -> None:
    def why(*, asked: bool = False, grew: bool = False, last: datetime | None = NOW) -> str | None:
        return is_full(asked=asked, grew=grew, last_full_at=last, now=NOW, full_every=DAY)

    assert why() is None
    assert why(last=NOW - DAY + timedelta(microseconds=1)) is None
    assert why(last=NOW - DAY) == "the last full comparison is older than 1 day"
    assert why(last=NOW + timedelta(minutes=5)) is None
    assert why(last=NOW + 400 * DAY) == "the last full comparison is dated in the future: a clock was wrong"
    assert why(last=None) == "no run has compared every version yet"
    assert why(asked=True) == "--full was given"
    assert why(grew=True) == "only the latest versions are stored, and the control plane offers all now"


def test_a_run_that_is_never_full_by_itself_is_full_when_asked() -> None:
    assert is_full(asked=False, grew=False, last_full_at=None, now=NOW, full_every=NEVER) is None
    assert is_full(asked=False, grew=False, last_full_at=NOW - 1000 * DAY, now=NOW, full_every=NEVER) is None
    assert is_full(asked=True, grew=False, last_full_at=None, now=NOW, full_every=NEVER) == "--full was given"
