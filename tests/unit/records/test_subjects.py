from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.enums import Entity
from etl.records import ModelRow, identify, to_rows
from etl.records.canonical import canonical
from etl.records.subjects import take_creator
from tests.support.rebuild_records import rebuild, restore_creator
from tests.support.record_builders import Record, a_model, a_subject, a_version, an_ml_repo
from tests.support.record_strategies import TEXTS

OWN_FIELDS = st.fixed_dictionaries(
    {},
    optional={name: TEXTS | st.integers() for name in ("subjectPatName", "subjectControllerName", "subjectNews")},
)
BUILDERS: list[tuple[Entity, Callable[..., Record]]] = [
    (Entity.ML_REPOS, an_ml_repo),
    (Entity.MODELS, a_model),
    (Entity.MODEL_VERSIONS, a_version),
]


def _restored(extra: Record, created_by_id: str | None, *subjects: tuple[Any, ...]) -> Record:
    restore_creator(extra, created_by_id, {"subjects": subjects})
    return extra


def test_subject_is_split_into_columns_and_its_own_extra() -> None:
    extra = {"created_by_subject": a_subject(subjectSlug=5, subjectControllerName="x")}
    subject_id, rows = take_creator(extra)
    assert extra == {"created_by_subject": {"subjectSlug": 5, "subjectControllerName": "x"}}
    assert subject_id == "user-1"
    assert rows == [("user-1", "user", None, "Ada", None, {"subjectSlug": 5, "subjectControllerName": "x"})]


def test_detail_that_varies_between_records_is_kept_in_record_and_row() -> None:
    extra = {"created_by_subject": a_subject(subjectPatName="laptop")}
    assert take_creator(extra) == ("user-1", [("user-1", "user", "ada@example.com", "Ada", "laptop", None)])
    assert extra == {"created_by_subject": {"subjectPatName": "laptop"}}


def test_subject_that_fits_its_columns_leaves_nothing_in_the_record() -> None:
    assert ModelRow._make(to_rows(identify(Entity.MODELS, a_model()))["models"][0]).extra is None


@pytest.mark.parametrize("subject", [a_subject(subjectId=None), a_subject(subjectId=""), {}, "ada", ["ada"]])
def test_subject_without_an_id_stays_unchanged_in_the_record(subject: object) -> None:
    extra = {"created_by_subject": subject}
    assert take_creator(extra) == (None, [])
    assert extra == {"created_by_subject": subject}
    assert _restored(extra, None) == {"created_by_subject": subject}


def test_creator_is_found_among_other_subjects() -> None:
    others = (("user-0", "user", None, "Bob", None, None), ("user-1", "team", "ml", None, "desk", {"x": 1}))
    assert _restored({}, "user-1", *others) == {
        "created_by_subject": {"subjectId": "user-1", "subjectType": "team", "subjectSlug": "ml"}
    }


def test_detail_in_the_record_overrides_the_subjects_row() -> None:
    extra = {"created_by_subject": {"subjectId": 7, "subjectSlug": 5}}
    assert _restored(extra, "7", ("7", "user", "ada", None, None, None)) == {
        "created_by_subject": {"subjectId": 7, "subjectType": "user", "subjectSlug": 5}
    }


def test_creator_without_a_row_is_restored_by_id_alone() -> None:
    assert _restored({}, "user-2") == {"created_by_subject": {"subjectId": "user-2"}}


@given(OWN_FIELDS, OWN_FIELDS, st.sampled_from(BUILDERS))
def test_records_that_share_a_subjects_row_are_each_rebuilt(
    one: Record, other: Record, family: tuple[Entity, Callable[..., Record]]
) -> None:
    entity, build = family
    received = [build(created_by_subject=a_subject(**own)) for own in (one, other)]
    rows_of_records = [to_rows(identify(entity, record)) for record in received]
    for shared in (rows_of_records[0]["subjects"], rows_of_records[1]["subjects"]):
        for own_rows, record in zip(rows_of_records, received, strict=True):
            rebuilt = rebuild(entity, {**own_rows, "subjects": shared})
            assert canonical(rebuilt["created_by_subject"]) == canonical(record["created_by_subject"])
