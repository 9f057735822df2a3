from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from etl.sync.plan import NEVER, Plan, is_full, plan_versions

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def _plan(**changes: Any) -> Plan:
    defaults = {"why_full": None, "due": 1, "models": 10, "stored": 50, "page_size": 21, "can_sweep": True}
    return plan_versions(**defaults | changes)


def test_nothing_is_read_when_no_model_looks_changed() -> None:
    assert _plan(due=0) == Plan("none", 0, "no model looks changed")


def test_few_changed_models_are_read_one_by_one() -> None:
    assert _plan(due=3) == Plan("by model", 3, "3 models look changed")
    assert _plan(due=1) == Plan("by model", 1, "1 model looks changed")


def test_many_changed_models_are_read_in_one_sweep() -> None:
    assert _plan(due=5) == Plan("sweep", 3, "5 models look changed, and one sweep is faster than a request for each")


def test_the_number_of_requests_is_a_lower_bound() -> None:
    assert [_plan(why_full="asked", stored=stored).requests for stored in (0, 1, 21, 22, 41, 42)] == [1, 1, 1, 2, 2, 3]
    assert str(_plan(why_full="asked", due=8000, page_size=500)) == "sweep, in at least 17 requests, because asked"
    assert str(_plan(due=1)) == "by model, in at least 1 request, because 1 model looks changed"
    assert str(_plan(due=0)) == "none, because no model looks changed"


def test_a_filtered_run_never_sweeps() -> None:
    assert _plan(due=5, can_sweep=False).way == "by model"
    assert _plan(why_full="asked", can_sweep=False) == Plan("by model", 10, "asked")


def test_a_full_run_sweeps_even_if_no_model_looks_changed() -> None:
    assert _plan(why_full="asked", due=0) == Plan("sweep", 3, "asked")


def test_pages_of_one_record_can_be_planned() -> None:
    assert _plan(why_full="asked", page_size=1).requests == 49


def test_a_few_small_requests_are_less_than_a_sweep_of_large_pages() -> None:
    large = {"models": 10_000, "stored": 50_000, "page_size": 1000}
    assert _plan(due=100, **large).way == "by model"  # 100 requests for 500 records, not 50 for 50,000
    assert _plan(due=2000, **large).way == "sweep"


@given(due=st.integers(1, 10**6), stored=st.integers(0, 10**6), page_size=st.integers(1, 1000))
def test_a_sweep_is_planned_only_if_it_takes_fewer_requests_for_few_enough_records(
    due: int, stored: int, page_size: int
) -> None:
    plan = _plan(due=due, models=max(due, 10), stored=stored, page_size=page_size)
    assert plan.requests <= due
    assert plan.way == "by model" or stored <= due * (50 + stored / max(due, 10))


def test_a_run_is_full_on_request_without_a_recent_full_comparison_or_if_coverage_grew() -> None:
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


def test_a_run_that_is_never_full_by_default_is_full_on_request() -> None:
    assert is_full(asked=False, grew=False, last_full_at=None, now=NOW, full_every=NEVER) is None
    assert is_full(asked=False, grew=False, last_full_at=NOW - 1000 * DAY, now=NOW, full_every=NEVER) is None
    assert is_full(asked=True, grew=False, last_full_at=None, now=NOW, full_every=NEVER) == "--full was given"


def _hours_of_full_comparisons(ml_repo: str, *, days: int) -> list[int]:
    """The hours in which hourly runs compare every version, after a full comparison at the start."""
    last, found = NOW, []
    for hour in range(1, 24 * days + 1):
        now = NOW + timedelta(hours=hour)
        if is_full(asked=False, grew=False, last_full_at=last, now=now, full_every=DAY, ml_repo=ml_repo):
            found.append(hour)
            last = now
    return found


@given(
    ml_repo=st.text(),
    age=st.timedeltas(timedelta(0), 100 * DAY),
    full_every=st.timedeltas(timedelta(0), 100 * DAY),
    now=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 has one
)
def test_full_comparison_of_an_ml_repo_is_never_later_than_full_every(
    ml_repo: str, age: timedelta, full_every: timedelta, now: datetime
) -> None:
    def why(ml_repo: str | None) -> str | None:
        return is_full(asked=False, grew=False, last_full_at=now - age, now=now, full_every=full_every, ml_repo=ml_repo)

    assert (age >= full_every) == (why(None) is not None)
    assert age < full_every or why(ml_repo) is not None


def test_an_ml_repo_has_no_early_turn_with_a_very_long_full_every() -> None:
    for number in range(50):
        long = timedelta(days=999_999)
        assert not is_full(
            asked=False, grew=False, last_full_at=NOW - DAY, now=NOW, full_every=long, ml_repo=str(number)
        )


@given(ml_repo=st.text())
def test_full_comparisons_of_an_ml_repo_are_full_every_apart_after_the_first_turn(ml_repo: str) -> None:
    hours = _hours_of_full_comparisons(ml_repo, days=4)
    assert 1 <= hours[0] <= 24
    assert [later - earlier for earlier, later in pairwise(hours)] == [24] * (len(hours) - 1)


def test_full_comparisons_of_many_ml_repos_spread_over_the_day() -> None:
    by_hour = Counter(_hours_of_full_comparisons(str(number), days=1)[0] for number in range(2400))
    assert by_hour.keys() == set(range(1, 25))
    assert min(by_hour.values()) > 60
    assert max(by_hour.values()) < 140


def test_the_reason_of_a_turn_names_its_interval() -> None:
    why = is_full(
        asked=False,
        grew=False,
        last_full_at=NOW - DAY + timedelta(microseconds=1),
        now=NOW,
        full_every=DAY,
        ml_repo="1",
    )
    assert why == "a full comparison of this ML repo is due (interval: 1 day)"
