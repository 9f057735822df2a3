import json

import pytest

from etl.errors import ConfigError
from etl.simulator import FAULTS, Registry, fault
from etl.simulator.exchange import Answer, Request, json_answer
from etl.simulator.faults import Circumstances

GOOD = json_answer({"data": [{"id": "a"}], "pagination": {"total": 1, "offset": 0, "limit": 100}})


def struck(written: str, requests: int = 1, *, endpoint: str = "models") -> list[Answer]:
    """What a client gets for so many requests that would all be answered well."""
    one = fault(written)
    circumstances = (
        Circumstances(request=Request(path="/", number=number + 1), endpoint=endpoint, registry=Registry())
        for number in range(requests)
    )
    return [one(each, lambda: GOOD) for each in circumstances]


def statuses(written: str, requests: int, *, endpoint: str = "models") -> list[int]:
    return [answer.status for answer in struck(written, requests, endpoint=endpoint)]


def test_a_fault_strikes_each_nth_request_and_no_more_often_than_told() -> None:
    assert statuses("flaky_500,every=2,times=2", 7) == [200, 500, 200, 500, 200, 200, 200]


def test_a_fault_of_one_endpoint_leaves_the_others_alone() -> None:
    assert statuses("forbid:models", 2) == [403, 403]
    assert statuses("forbid:models", 2, endpoint="ml-repos") == [200, 200]
    assert statuses("flaky_500:503,endpoint=models", 1) == [503]


def test_a_rate_limit_says_when_to_come_back() -> None:
    (answer,) = struck("rate_limit:7")

    assert answer.status == 429
    assert answer.headers == (("Retry-After", "7"),)


def test_a_token_expires_after_so_many_requests() -> None:
    assert statuses("expired_token_after:2", 4) == [200, 200, 401, 401]


def test_a_truncated_body_is_announced_whole_and_sent_in_half() -> None:
    (answer,) = struck("truncated_body")

    assert answer.body == GOOD.body
    assert answer.sent == len(GOOD.body) // 2


def test_bad_json_cannot_be_read() -> None:
    (answer,) = struck("bad_json")

    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


def test_a_total_can_be_wrong_or_missing_while_the_data_stay_as_they_are() -> None:
    (wrong,), (missing,) = struck("wrong_total:-3"), struck("no_total")

    assert json.loads(wrong.body) == {
        "data": [{"id": "a"}],
        "pagination": {"total": -2, "offset": 0, "limit": 100},
    }
    assert json.loads(missing.body) == {"data": [{"id": "a"}], "pagination": {"offset": 0, "limit": 100}}


def test_an_answer_without_pagination_passes_the_faults_of_totals() -> None:
    circumstances = Circumstances(request=Request(path="/"), endpoint="", registry=Registry())

    assert fault("wrong_total")(circumstances, lambda: Answer(status=404)) == Answer(status=404)


def test_a_redirect_names_its_target() -> None:
    (answer,) = struck("redirect:https://evil.example/")

    assert answer.status == 302
    assert answer.headers == (("Location", "https://evil.example/"),)


def test_the_other_faults_change_only_how_an_answer_comes() -> None:
    (page,), (late,), (cut,) = struck("html_page"), struck("slow:2.5"), struck("reset")

    assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")
    assert (late.body, late.delay) == (GOOD.body, 2.5)
    assert cut.reset


def test_a_moving_registry_changes_between_requests_in_the_same_way_each_time() -> None:
    def moved() -> Registry:
        registry, moving = Registry.generate(models=3, versions=2), fault("moving:5")
        for number in range(20):
            request = Request(path="/", number=number)
            moving(Circumstances(request=request, endpoint="models", registry=registry), lambda: GOOD)
        return registry

    one, other = moved(), moved()

    assert one.records("models") == other.records("models")
    assert one.records("models") != Registry.generate(models=3, versions=2).records("models")


def test_an_empty_registry_has_nothing_to_move() -> None:
    assert statuses("moving", 20) == [200] * 20


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
    ],
)
def test_a_fault_that_is_none_is_a_wrong_option(written: str) -> None:
    with pytest.raises(ConfigError, match=written.partition(",")[0].partition(":")[0]):
        fault(written)
