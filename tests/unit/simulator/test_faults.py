from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from etl.errors import ConfigError
from etl.simulator import FAULTS, fault
from etl.simulator.http_types import Request
from tests.unit.simulator.fault_helpers import GOOD, answers_of, context, statuses


def test_fault_affects_every_nth_request_at_most_times_times() -> None:
    assert statuses("flaky_500,every=2,times=2", 7) == [200, 500, 200, 500, 200, 200, 200]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("after=2", [200, 200, 500, 500, 500, 500, 500]),
        ("after=0", [500] * 7),
        ("after=2,times=1", [200, 200, 500, 200, 200, 200, 200]),
        ("after=2,every=2", [200, 200, 200, 500, 200, 500, 200]),
        ("after=1,every=2,times=2", [200, 200, 500, 200, 500, 200, 200]),
    ],
)
def test_fault_with_after_spares_the_first_requests_and_counts_from_there(schedule: str, expected: list[int]) -> None:
    assert statuses(f"flaky_500,{schedule}", 7) == expected


def test_requests_to_other_endpoints_do_not_count_for_after() -> None:
    delayed_fault = fault("forbid:models,after=1")

    found = [
        delayed_fault(context(endpoint), lambda: GOOD).status
        for endpoint in ("ml-repos", "ml-repos", "models", "ml-repos", "models")
    ]

    assert found == [200, 200, 200, 200, 403]


def test_not_offered_applies_after_a_number_of_requests_to_its_list() -> None:
    spec = "not_offered:405,endpoint=model-versions,after=1"

    assert statuses(spec, 3, endpoint="model-versions") == [200, 405, 405]
    assert statuses(spec, 3, endpoint="models") == [200, 200, 200]
    assert statuses("not_offered", 1) == [404]


def test_list_not_offered_can_answer_with_the_html_page() -> None:
    (answer,) = answers_of("not_offered:html")

    assert (answer.status, answer.content_type.partition(";")[0]) == (200, "text/html")


@pytest.mark.parametrize(
    ("endpoint", "path", "status"),
    [
        ("models", "/api/ml/v1/models", 404),
        ("models", "/api/ml/v1/models/", 404),
        ("models", "/api/ml/v1/models/m-1", 200),
        ("model-versions", "/api/ml/v1/model-versions/v-1", 404),
    ],
)
def test_list_not_offered_still_serves_single_models(endpoint: str, path: str, status: int) -> None:
    fault_context = replace(context(endpoint), request=Request(path=path))

    assert fault("not_offered")(fault_context, lambda: GOOD).status == status


def test_a_fault_of_one_endpoint_does_not_affect_the_others() -> None:
    assert statuses("forbid:models", 2) == [403, 403]
    assert statuses("forbid:models", 2, endpoint="ml-repos") == [200, 200]
    assert statuses("flaky_500:503,endpoint=models", 1) == [503]


def test_rate_limit_has_retry_after_in_seconds_or_none() -> None:
    (seconds,), (silent,) = answers_of("rate_limit:7"), answers_of("rate_limit:none")

    assert (seconds.status, seconds.headers) == (429, (("Retry-After", "7"),))
    assert (silent.status, silent.headers) == (429, ())


def test_rate_limit_with_a_date_is_one_second_ahead() -> None:
    (answer,) = answers_of("rate_limit:date")
    ((name, moment),) = answer.headers

    assert name == "Retry-After"
    assert abs((parsedate_to_datetime(moment) - datetime.now(UTC)).total_seconds()) <= 1


def test_list_forbidden_without_a_filter_is_served_with_one() -> None:
    assert statuses("forbid_unfiltered", 1, endpoint="model-versions") == [403]
    assert statuses("forbid_unfiltered", 1, endpoint="model-versions", ml_repo_id="1") == [200]
    assert statuses("forbid_unfiltered", 1, endpoint="model-versions", model_id="m") == [200]
    assert statuses("forbid_unfiltered", 1) == [200]


def test_token_expires_after_a_number_of_requests() -> None:
    assert statuses("expired_token_after:2", 4) == [200, 200, 401, 401]


def test_a_redirect_names_its_target() -> None:
    (answer,) = answers_of("redirect:https://evil.example/")

    assert answer.status == 302
    assert answer.headers == (("Location", "https://evil.example/"),)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_has_defaults(name: str) -> None:
    assert len(answers_of(name)) == 1


@pytest.mark.parametrize(
    "spec",
    [
        "earthquake",
        "slow,often=3",
        "flaky_500,every=x",
        "html_page:too-much",
        "flaky_500,every=0",
        "flaky_500,after=-1",
        "flaky_500,after=x",
        "not_offered:teapot",
        "not_offered:200",
        "slow:soon",
        "total_is:many",
    ],
)
def test_unknown_fault_raises_config_error(spec: str) -> None:
    with pytest.raises(ConfigError, match=spec.partition(",")[0].partition(":")[0]):
        fault(spec)
