from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from etl.errors import ConfigError
from etl.simulator import FAULTS, fault
from tests.simulator.strikes import statuses, struck


def test_a_fault_strikes_each_nth_request_and_no_more_often_than_told() -> None:
    assert statuses("flaky_500,every=2,times=2", 7) == [200, 500, 200, 500, 200, 200, 200]


def test_a_fault_of_one_endpoint_leaves_the_others_alone() -> None:
    assert statuses("forbid:models", 2) == [403, 403]
    assert statuses("forbid:models", 2, endpoint="ml-repos") == [200, 200]
    assert statuses("flaky_500:503,endpoint=models", 1) == [503]


def test_a_rate_limit_says_in_seconds_when_to_come_back_or_says_nothing() -> None:
    (seconds,), (silent,) = struck("rate_limit:7"), struck("rate_limit:none")

    assert (seconds.status, seconds.headers) == (429, (("Retry-After", "7"),))
    assert (silent.status, silent.headers) == (429, ())


def test_a_rate_limit_names_a_moment_that_is_just_ahead() -> None:
    (answer,) = struck("rate_limit:date")
    ((name, moment),) = answer.headers

    assert name == "Retry-After"
    assert abs((parsedate_to_datetime(moment) - datetime.now(UTC)).total_seconds()) <= 1


def test_what_is_forbidden_without_a_filter_may_be_read_with_one() -> None:
    assert statuses("forbid_unfiltered", 1, endpoint="model-versions") == [403]
    assert statuses("forbid_unfiltered", 1, endpoint="model-versions", ml_repo_id="1") == [200]
    assert statuses("forbid_unfiltered", 1, endpoint="model-versions", model_id="m") == [200]
    assert statuses("forbid_unfiltered", 1) == [200]


def test_a_token_expires_after_so_many_requests() -> None:
    assert statuses("expired_token_after:2", 4) == [200, 200, 401, 401]


def test_a_redirect_names_its_target() -> None:
    (answer,) = struck("redirect:https://evil.example/")

    assert answer.status == 302
    assert answer.headers == (("Location", "https://evil.example/"),)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_be_had_by_its_name_alone(name: str) -> None:
    assert len(struck(name)) == 1


@pytest.mark.parametrize(
    "written",
    [
        "earthquake",
        "slow,often=3",
        "flaky_500,every=x",
        "html_page:too-much",
        "flaky_500,every=0",
        "slow:soon",
        "total_is:many",
    ],
)
def test_a_fault_that_is_none_is_a_wrong_option(written: str) -> None:
    with pytest.raises(ConfigError, match=written.partition(",")[0].partition(":")[0]):
        fault(written)
