import json
from typing import Any

import pytest

from etl.simulator import Registry, fault
from etl.simulator.faults import FaultContext
from etl.simulator.http_types import Request, Response
from etl.simulator.routes import Api
from tests.unit.simulator.fault_helpers import GOOD, answers_of, context, statuses


def body(spec: str, **query: str) -> Any:
    (answer,) = answers_of(spec, 1, "models", **query)
    return json.loads(answer.body)


@pytest.mark.parametrize(
    ("spec", "pagination"),
    [
        ("wrong_total:-3", {"total": -2}),
        ("wrong_total", {"total": 2}),
        ("no_total", {}),
        ("total_is", {"total": 0}),
        ("total_is:-1", {"total": -1}),
        ('total_is:"1"', {"total": "1"}),
        ("total_is:null", {"total": None}),
    ],
)
def test_a_total_can_be_wrong_or_missing_while_the_data_are_unchanged(spec: str, pagination: dict[str, Any]) -> None:
    assert body(spec) == {"data": [{"id": "a"}], "pagination": {"offset": 0, "limit": 100} | pagination}


@pytest.mark.parametrize("spec", ["wrong_total", "no_total", "total_is", "empty_page"])
def test_answer_without_pagination_is_not_changed_by_list_faults(spec: str) -> None:
    fault_context = context("", query={"offset": "5"})

    assert fault(spec)(fault_context, lambda: Response(status=404)) == Response(status=404)


def test_only_pages_after_the_first_are_empty_and_keep_the_total() -> None:
    assert answers_of("empty_page") == answers_of("empty_page", offset="0") == [GOOD]
    assert body("empty_page", offset="1") == {"data": [], "pagination": {"total": 1, "offset": 0, "limit": 100}}


def test_same_page_is_returned_for_every_offset() -> None:
    assert body("same_page", offset="40", limit="5") == {"offset": ["0"], "limit": ["5"]}
    assert body("same_page") == {}  # a single record is served without an offset


def test_pages_can_be_longer_than_requested() -> None:
    assert body("long_pages", limit="5") == {"limit": ["10"]}
    assert body("long_pages:10", offset="3", limit="5") == {"offset": ["3"], "limit": ["50"]}
    assert body("long_pages") == {}


def test_a_moving_registry_changes_deterministically_between_requests() -> None:
    def moved_registry() -> Registry:
        registry, moving = Registry.generate(models=3, versions=2), fault("moving:5")
        for _ in range(20):
            moving(context("models", registry), lambda: GOOD)
        return registry

    one, other = moved_registry(), moved_registry()

    assert one.records("models") == other.records("models")
    assert one.records("models") != Registry.generate(models=3, versions=2).records("models")


def test_an_empty_registry_has_nothing_to_move() -> None:
    assert statuses("moving", 20) == [200] * 20


def test_endless_list_has_a_full_page_of_new_records_for_every_offset() -> None:
    registry = Registry.generate(models=3, versions=1)
    api = Api(registry)
    for total in ("null", "10"):
        one = fault(f"endless_list:{total},endpoint=models")
        request = Request(
            path="/api/ml/v1/models", query={"offset": ["7"], "limit": ["4"]}, authorization="Bearer demo-token"
        )
        fault_context = FaultContext(request=request, endpoint="models", registry=registry, ask=api.answer)
        answer = json.loads(one(fault_context, lambda: GOOD).body)

        assert [each["id"] for each in answer["data"]] == ["endless-7", "endless-8", "endless-9", "endless-10"]
        assert answer["pagination"] == {"total": json.loads(total), "offset": 7, "limit": 4}
