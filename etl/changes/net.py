"""The net result of a series of changes: what differs between its begin and its end."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from etl.changes.named_change import RECORD_KINDS, NamedChange

_LISTS = ("metrics.", "packages.")


def net_changes(changes: Iterable[NamedChange]) -> Iterator[NamedChange]:
    """Yield what differs after all changes, given in the order in which they happened.

    A field that changed twice has one row, and none if it has its old value again. A created or deleted record has one
    row. A version that was created, deleted or restored together with its model has none: that of its model counts it.
    """
    records: dict[tuple[str, str], list[NamedChange]] = defaultdict(list)
    for each in changes:
        records[each.entity, each.id].append(each)
    left = [each for of_record in records.values() for each in _of_record(of_record)]
    of_models = {(each.id, each.kind) for each in left if each.entity == "models" and each.kind in RECORD_KINDS}
    versions = Counter((each.model_id, each.kind) for each in left if each.entity == "model_versions")
    for each in left:
        if each.entity == "models" and each.kind in RECORD_KINDS:
            yield each._replace(versions=versions[each.id, each.kind])
        elif each.entity != "model_versions" or (each.model_id, each.kind) not in of_models:
            yield each


def _of_record(changes: list[NamedChange]) -> Iterator[NamedChange]:
    """Yield the net changes of one record."""
    life = [each for each in changes if each.kind in RECORD_KINDS]
    was_there = not life or life[0].kind == "deleted"
    is_there = life[-1].kind != "deleted" if life else True
    if was_there and is_there:
        yield from _of_fields([each for each in changes if each.kind not in RECORD_KINDS])
    elif was_there:
        yield life[-1]
    elif is_there:
        yield life[0]


def _of_fields(changes: list[NamedChange]) -> Iterator[NamedChange]:
    fields: dict[str | None, list[NamedChange]] = defaultdict(list)
    for each in changes:
        fields[each.field].append(each)
    for field, of_field in fields.items():
        if field == "tags":
            yield from _of_tags(of_field)
        elif (field or "").startswith(_LISTS):
            yield from _of_list(of_field)
        elif of_field[0].old != of_field[-1].new:
            yield of_field[-1]._replace(old=of_field[0].old, old_name=of_field[0].old_name)


def _of_tags(changes: list[NamedChange]) -> Iterator[NamedChange]:
    """Yield the last change of each tag that changed an odd number of times."""
    tags: dict[str | None, list[NamedChange]] = defaultdict(list)
    for each in changes:
        tags[each.new or each.old].append(each)
    for of_tag in tags.values():
        if of_tag[0].kind == of_tag[-1].kind:
            yield of_tag[-1]


def _of_list(changes: list[NamedChange]) -> Iterator[NamedChange]:
    """Yield the values that a list lost and got, in pairs. A list may hold a value several times."""
    olds = Counter(each.old for each in changes if each.old is not None)
    news = Counter(each.new for each in changes if each.new is not None)
    for old, new in zip_longest((olds - news).elements(), (news - olds).elements()):
        yield changes[-1]._replace(old=old, new=new)
