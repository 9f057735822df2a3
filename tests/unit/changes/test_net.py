from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.changes import NamedChange, net_changes

MODEL = NamedChange(None, None, "models", "m1", "updated", model="fraud-scorer", model_id="m1")
VERSION = MODEL._replace(entity="model_versions", id="v1", version=3)


def field(name: str, old: str | None, new: str | None) -> NamedChange:
    return VERSION._replace(field=name, old=old, new=new)


def tag(name: str, *, added: bool) -> NamedChange:
    changed = VERSION._replace(kind="tag_added" if added else "tag_removed", field="tags")
    return changed._replace(new=name) if added else changed._replace(old=name)


@pytest.mark.parametrize(
    ("kinds", "remaining"),
    [
        (["created"], "created"),
        (["deleted"], "deleted"),
        (["restored"], "restored"),
        (["deleted", "restored"], None),
        (["created", "deleted"], None),
        (["restored", "deleted"], None),
        (["created", "deleted", "restored"], "created"),
        (["deleted", "restored", "deleted"], "deleted"),
    ],
)
def test_changes_of_a_record_are_reduced_to_at_most_one(kinds: list[str], remaining: str | None) -> None:
    changes = [VERSION._replace(kind=kind) for kind in kinds]

    assert [each.kind for each in net_changes(changes)] == ([remaining] if remaining else [])


def test_field_changes_count_only_if_the_record_exists_before_and_after() -> None:
    renamed = field("description", "a", "b")

    assert list(net_changes([renamed])) == [renamed]
    assert list(net_changes([VERSION._replace(kind="deleted"), VERSION._replace(kind="restored"), renamed])) == [
        renamed
    ]
    assert [each.kind for each in net_changes([VERSION._replace(kind="created"), renamed])] == ["created"]
    assert [each.kind for each in net_changes([renamed, VERSION._replace(kind="deleted")])] == ["deleted"]


def test_versions_created_with_their_model_are_counted_in_its_change() -> None:
    other = VERSION._replace(id="v2", version=4)
    changes = [each._replace(kind="created") for each in (MODEL, VERSION, other)]

    assert [(each.id, each.versions) for each in net_changes(changes)] == [("m1", 2)]
    assert [each.id for each in net_changes([VERSION._replace(kind="created")])] == ["v1"]


values = st.sampled_from([None, "a", "b", "c"])


@given(states=st.lists(values, min_size=2, max_size=6))
def test_a_field_has_one_row_from_its_first_to_its_last_value(states: list[str | None]) -> None:
    changes = [field("description", old, new) for old, new in pairwise(states) if old != new]
    expected = [(states[0], states[-1])] if states[0] != states[-1] else []

    assert [(each.old, each.new) for each in net_changes(changes)] == expected


@given(states=st.lists(st.sets(st.sampled_from("abc")), min_size=2, max_size=5))
def test_tag_changes_are_the_difference_of_first_and_last_state(states: list[set[str]]) -> None:
    changes = [tag(each, added=each in after) for before, after in pairwise(states) for each in sorted(before ^ after)]
    remaining = list(net_changes(changes))

    assert {each.new for each in remaining if each.kind == "tag_added"} == states[-1] - states[0]
    assert {each.old for each in remaining if each.kind == "tag_removed"} == states[0] - states[-1]
    assert len(remaining) == len(states[0] ^ states[-1])


@given(states=st.lists(st.lists(st.sampled_from("abc"), max_size=3), min_size=2, max_size=5))
def test_list_changes_are_the_difference_of_first_and_last_state(states: list[list[str]]) -> None:
    changes = []
    for before, after in pairwise(map(Counter, states)):
        changes += [field("packages.numpy", each, None) for each in (before - after).elements()]
        changes += [field("packages.numpy", None, each) for each in (after - before).elements()]
    remaining = list(net_changes(changes))
    first, last = Counter(states[0]), Counter(states[-1])

    assert Counter(each.old for each in remaining if each.old) == first - last
    assert Counter(each.new for each in remaining if each.new) == last - first
