"""The keys of records, and sets of keys."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.source.completeness.id_set import IdSet, key_of

# Use few distinct keys, in few buckets and in many.
keys = st.integers(0, 2**64 - 1) | st.integers(0, 9) | st.integers(2**64 - 9, 2**64 - 1)


@given(st.lists(keys), st.lists(keys))
def test_id_set_behaves_like_a_set(left: list[int], right: list[int]) -> None:
    one, other = IdSet(), IdSet()
    news = [one.add(key) for key in left]
    for key in right:
        other.add(key)

    assert news == [key not in left[:index] for index, key in enumerate(left)]
    assert len(one) == len(set(left))
    assert (one == other) == (set(left) == set(right))


@given(st.lists(keys, min_size=1))
def test_id_sets_with_keys_added_in_any_order_are_equal(given_keys: list[int]) -> None:
    one, other = IdSet(), IdSet()
    for key in given_keys:
        one.add(key)
    for key in reversed(given_keys):
        other.add(key)

    assert one == other


def test_id_set_does_not_equal_other_types() -> None:
    assert IdSet() != set()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"id": "7", "name": "a"}, {"id": "7", "name": "b"}),
        ({"id": 7}, {"id": "7"}),
        ({"id": 7.0}, {"id": "7"}),
        ({"name": "a", "step": 1}, {"step": 1, "name": "a"}),
        ({"id": "", "name": "a"}, {"name": "a", "id": ""}),
        ([1, 2], [1, 2]),
        ({"id": "\ud800"}, {"id": "\ud800"}),
        ({"note": "\ud800"}, {"note": "\ud800"}),
    ],
)
def test_records_with_the_same_identity_have_equal_keys(left: Any, right: Any) -> None:
    assert key_of(left) == key_of(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"id": "7"}, {"id": "8"}),
        ({"id": "7"}, "7"),
        ({"id": True}, {"id": "True"}),
        ({"id": None, "name": "a"}, {"id": None, "name": "b"}),
        ({"id": "", "name": "a"}, {"id": "", "name": "b"}),
        ({"id": [1]}, {"id": [2]}),
        (None, []),
        ({"value": float("nan")}, {"value": None}),
    ],
)
def test_records_with_different_identities_have_different_keys(left: Any, right: Any) -> None:
    assert key_of(left) != key_of(right)
