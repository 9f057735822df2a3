"""The ids of ML repos in the values that templates give, as text or as objects."""

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import given
from hypothesis import strategies as st

from etl.airflow.ml_repos import as_list
from etl.airflow.operators import TrueFoundrySyncOperator


@pytest.mark.parametrize("value", [None, "", " ", "None", " None ", "[]", "[ ]", ",", [], ()])
def test_an_empty_value_means_everything(value: Any) -> None:
    assert as_list(value) == []


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("1", ["1"]),
        (" 1 , 2,", ["1", "2"]),
        ("['1', '2']", ["1", "2"]),
        ('["1", "2"]', ["1", "2"]),
        (" [1, 2] ", ["1", "2"]),
        ("['a, b', 'c']", ["a, b", "c"]),
        ("[a, b", ["[a", "b"]),
        (12, ["12"]),
        (0, ["0"]),
        ((1, "2"), ["1", "2"]),
        (iter(["1"]), ["1"]),
        (["007", " 1 ", "None", "[1]", "1,2"], ["007", " 1 ", "None", "[1]", "1,2"]),
    ],
)
def test_ids_are_given_as_text_or_numbers_alone_or_in_a_list(value: Any, ids: list[str]) -> None:
    assert as_list(value) == ids


@given(ids=st.lists(st.text()))
def test_a_list_that_a_template_writes_as_text_keeps_its_ids(ids: list[str]) -> None:
    assert as_list(ids) == as_list(str(ids)) == ids


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "True"),
        (1.0, "1.0"),
        ([1.5], "1.5"),
        (["1", None], "None"),
        ([["1"]], r"\['1'\]"),
        ({"id": "1"}, "{'id': '1'}"),
        (b"12", "b'12'"),
        ("[true]", "True"),
        ("['1', None]", "None"),
    ],
)
def test_a_value_that_is_not_an_id_fails_the_task_without_retry(value: Any, shown: str) -> None:
    with pytest.raises(
        AirflowFailException, match=f"^Invalid ml_repos: {shown} is not the id of an ML repo. Pass ids as"
    ):
        as_list(value)


def test_a_sync_checks_the_ids_before_it_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True, raising=False)
    operator = TrueFoundrySyncOperator(task_id="sync", database_conn_id="not_defined", ml_repos="['1', None]")
    with pytest.raises(AirflowFailException, match="None is not the id of an ML repo"):
        operator.execute({})
