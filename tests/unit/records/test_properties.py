"""Properties of every record that can be identified."""

import math
import re
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from random import Random
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etl.enums import Entity
from etl.records import InvalidRecord, Rows, changes, embedded_version, identify, to_rows
from tests.support.rebuild_records import rebuild
from tests.support.record_strategies import ANYTHING, READABLE, VERSIONS, Record
from tests.support.reference_decoder import TIMES, decode

pytestmark = pytest.mark.slow

thorough = settings(max_examples=300)

Path = tuple[str | int, ...]
Readable = tuple[Entity, Record]

OTHER = "something else \u2603"


@thorough
@given(READABLE)
def test_record_rebuilt_from_rows_in_any_order_equals_the_original(readable: Readable) -> None:
    entity, record = readable
    latest = embedded_version(record) if entity == "models" else None
    rows = {table: of_table[::-1] for table, of_table in _rows(readable).items()}
    rebuilt = rebuild(entity, rows, latest and _rows((Entity.MODEL_VERSIONS, latest)))
    assert decode(rebuilt) == decode(record)


@thorough
@given(READABLE, st.randoms(use_true_random=False))
def test_other_notation_of_a_record_has_the_same_content_hash(readable: Readable, random: Random) -> None:
    entity, record = readable
    before, after = identify(entity, record), identify(entity, _renotated_record(record, random))
    assert after.content_hash == before.content_hash


@thorough
@given(READABLE, st.randoms(use_true_random=False))
def test_reordered_record_has_the_same_hashes(readable: Readable, random: Random) -> None:
    entity, record = readable
    before, after = identify(entity, record), identify(entity, _reordered(record, random))
    assert (after.content_hash, after.change_hash) == (before.content_hash, before.change_hash)


@thorough
@given(READABLE, st.data())
def test_one_changed_leaf_changes_the_hash(readable: Readable, data: st.DataObject) -> None:
    entity, record = readable
    path = data.draw(st.sampled_from(list(_leaves(record))))
    before, after = identify(entity, record), identify(entity, _with(record, path, OTHER))
    embeds = entity == "models" and embedded_version(record) is not None
    in_latest = embeds and path[0] == "latest_version"
    own = path[1:] if in_latest else path
    assert (before.content_hash != after.content_hash) is (
        own == ("id",) if in_latest else own[0] != "usage_code_snippet"
    )
    assert (before.change_hash != after.change_hash) is (entity == "models" and own[0] != "usage_code_snippet")


@given(ANYTHING)
def test_any_value_becomes_rows_of_the_column_types_or_is_invalid(
    anything: tuple[Entity, Any],
) -> None:
    entity, value = anything
    try:
        identified = identify(entity, value)
    except InvalidRecord:
        return
    for table in to_rows(identified).values():
        for row in table:
            hints = get_type_hints(type(row))
            assert all(_fits(hint, item) for hint, item in zip(hints.values(), row, strict=True))


@given(READABLE)
def test_input_record_is_not_modified(readable: Readable) -> None:
    entity, record = readable
    before = deepcopy(record)
    rebuild(entity, _rows(readable))
    assert decode(record) == decode(before)


@given(READABLE)
def test_equal_rows_yield_no_changes(readable: Readable) -> None:
    entity, record = readable
    assert changes(entity, "1", _rows(readable), _rows((entity, deepcopy(record)))) == []


@given(READABLE)
def test_new_record_yields_one_created_change(readable: Readable) -> None:
    entity, _ = readable
    assert changes(entity, "1", None, _rows(readable)) == [(entity, "1", "created", None, None, None)]


@given(VERSIONS, VERSIONS)
def test_tag_changes_are_the_difference_of_the_tag_sets(old: Record, new: Record) -> None:
    before, after = _rows((Entity.MODEL_VERSIONS, old)), _rows((Entity.MODEL_VERSIONS, new))
    found = changes(Entity.MODEL_VERSIONS, "1", before, after)
    old_tags, new_tags = ({tag for _, _, tag in rows["model_version_tags"]} for rows in (before, after))
    assert {each.old_value for each in found if each.kind == "tag_removed"} == old_tags - new_tags
    assert {each.new_value for each in found if each.kind == "tag_added"} == new_tags - old_tags


@given(READABLE, st.data())
def test_reversed_comparison_yields_reversed_changes(readable: Readable, data: st.DataObject) -> None:
    entity, record = readable
    path = data.draw(st.sampled_from(list(_leaves(record))))
    assume(path[0] not in {"id", "model_id"})
    old, new = _rows(readable), _rows((entity, _with(record, path, OTHER)))
    forward = {(each.field, each.old_value, each.new_value) for each in changes(entity, "1", old, new)}
    backward = {(each.field, each.new_value, each.old_value) for each in changes(entity, "1", new, old)}
    assert forward == backward


def _rows(readable: Readable) -> Rows:
    return to_rows(identify(*readable))


def _renotated_record(record: Record, random: Random) -> Record:
    """The record in another notation with the same meaning."""
    renotated: Record = _renotated(record, random)
    renotated["usage_code_snippet"] = OTHER
    for key in TIMES:
        renotated[key] = _renotated_time(record.get(key))
    tags = record.get("tags")
    if isinstance(tags, list) and tags and all(isinstance(tag, str) for tag in tags):
        renotated["tags"] = random.sample(tags, len(tags)) + random.choices(tags, k=2)
    latest = embedded_version(record)
    if latest is not None:
        renotated["latest_version"] = _renotated_record(latest, random)
    return renotated


def _renotated(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        items = [(key, _renotated(item, random)) for key, item in value.items() if item is not None]
        unset = [(key, None) for key in ("not", "there") if value.get(key) is None]
        return dict(random.sample(items + unset, len(items + unset)))
    if isinstance(value, list):
        return [_renotated(item, random) for item in value]
    if type(value) is int and abs(value) <= 2**53:
        return float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _reordered(record: Record, random: Random) -> Record:
    """The record with its fields, nested fields and tags in another order."""
    reordered: Record = _shuffled(record, random)
    for version in (reordered, embedded_version(reordered) or {}):
        tags = version.get("tags")
        if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags):
            random.shuffle(tags)
    return reordered


def _shuffled(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        items = [(key, _shuffled(item, random)) for key, item in value.items()]
        return dict(random.sample(items, len(items)))
    return [_shuffled(item, random) for item in value] if isinstance(value, list) else value


def _renotated_time(value: Any) -> Any:
    """The same instant with another offset and one digit more."""
    if not isinstance(value, str) or not re.fullmatch(r"[\d-]{10}[T ][\d:]{8}(\.\d+)?(Z|\+00:00)?", value):
        return value
    clock = re.sub(r"Z|\+00:00", "", value)
    fraction = re.search(r"\.\d+", clock)
    whole = clock.removesuffix(fraction[0]) if fraction else clock
    try:
        shifted = datetime.fromisoformat(whole) + timedelta(hours=2)
    except (ValueError, OverflowError):
        return value
    return shifted.isoformat() + (fraction[0] + "0" if fraction else ".0") + "+02:00"


def _leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if not value or not isinstance(value, dict | list):
        yield path
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(item, (*path, key))


def _with(value: Any, path: Path, leaf: Any) -> Any:
    """A copy of the value with another leaf at this path."""
    if not path:
        return leaf
    changed = value.copy()
    changed[path[0]] = _with(value[path[0]], path[1:], leaf)
    return changed


def _fits(hint: Any, value: Any) -> bool:
    if hint is Any:
        return True
    if type(value) is int and not -(2**63) <= value < 2**63:
        return False
    if type(value) is float and not math.isfinite(value):
        return False
    if isinstance(value, datetime) and value.utcoffset() != timedelta(0):
        return False
    kinds = get_args(hint) or (hint,)
    return type(value) in kinds or (isinstance(value, dict) and any(get_args(kind) for kind in kinds))
