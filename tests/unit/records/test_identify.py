from datetime import UTC, datetime
from typing import Any

import pytest

from etl.enums import Entity
from etl.records import InvalidRecord, identify
from etl.source.responses import LongInteger
from tests.support.record_builders import a_metric, a_model, a_version, an_ml_repo


def test_identified_record_holds_its_ids_and_time_of_change() -> None:
    record = identify(Entity.MODEL_VERSIONS, a_version(id=7.0, updated_at="2024-05-02T12:00:00+02:00"))
    assert (record.entity, record.id, record.model_id, record.ml_repo_id) == ("model_versions", "7", "m-1", "12")
    assert record.updated_at == datetime(2024, 5, 2, 10, tzinfo=UTC)
    assert record.change_hash is None
    assert len(record.content_hash) == 32


def test_ml_repo_has_its_own_id_as_ml_repo_id() -> None:
    assert identify(Entity.ML_REPOS, an_ml_repo()).ml_repo_id == "12"


@pytest.mark.parametrize(
    ("entity", "record", "reason"),
    [
        (Entity.MODELS, None, "it is null, where an object with an id was expected"),
        (Entity.MODELS, [a_model()], "it is a list, where an object with an id was expected"),
        (Entity.MODELS, "m-1", "it is text, where an object with an id was expected"),
        (Entity.MODELS, {}, "it has no id"),
        (Entity.MODELS, a_model(id=None), "it has no id"),
        (Entity.MODELS, a_model(id=""), "its id is empty"),
        (Entity.MODELS, a_model(id=True), "its id is a boolean, where text or a whole number was expected"),
        (Entity.MODELS, a_model(id=0.5), "its id is 0.5, where text or a whole number was expected"),
        (Entity.MODELS, a_model(id="m" * 2001), "its id is longer than the 2000 bytes that every database can index"),
        (Entity.MODELS, a_model(id=10**4000), "its id is longer than the 2000 bytes that every database can index"),
        (Entity.MODEL_VERSIONS, a_version(model_id=None), "it has no model_id"),
        (
            Entity.MODEL_VERSIONS,
            a_version(model_id={}),
            "its model_id is an object, where text or a whole number was expected",
        ),
        (
            Entity.ML_REPOS,
            {"id": "1", "account_id": "a"},
            "it has neither tenant_name nor manifest, and every record of its kind has at least one",
        ),
        (
            Entity.MODELS,
            a_model(name=None, fqn=None),
            "it has neither name nor fqn, and every record of its kind has at least one",
        ),
        (
            Entity.MODEL_VERSIONS,
            a_version(fqn=None, manifest=None),
            "it has neither fqn nor manifest, and every record of its kind has at least one",
        ),
        (
            Entity.MODEL_VERSIONS,
            a_version(manifest={"metadata": [LongInteger("9" * 5000)]}),
            "its manifest contains an integer with more digits than can be read",
        ),
        (
            Entity.MODELS,
            a_model() | {"\n": LongInteger("9" * 5000)},
            "a field of it contains an integer with more digits than can be read",
        ),
    ],
)
def test_invalid_record_is_rejected_with_a_reason(entity: Entity, record: object, reason: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        identify(entity, record)
    assert refused.value.reason == reason


@pytest.mark.parametrize("field", ["metadata", "usage_code_snippet", "latest_version"])
def test_record_nested_too_deep_in_any_field_is_rejected(field: str) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidRecord, match=f"^its {field} nests lists and objects more than 200 levels deep$"):
        identify(Entity.MODELS, a_model(**{field: deep}))


def test_model_with_an_unstorable_latest_version_is_identified() -> None:
    unstorable = a_version(size=LongInteger("9" * 5000))
    before, after = identify(Entity.MODELS, a_model()), identify(Entity.MODELS, a_model(latest_version=unstorable))
    assert before.content_hash == after.content_hash
    assert before.change_hash != after.change_hash


def test_changed_latest_version_changes_only_the_change_hash() -> None:
    before = identify(Entity.MODELS, a_model())
    tagged = identify(Entity.MODELS, a_model(latest_version=a_version(tags=["champion"])))
    measured = identify(Entity.MODELS, a_model(latest_version=a_version(metrics=[a_metric(value=0.2)])))
    assert before.content_hash == tagged.content_hash == measured.content_hash
    assert len({before.change_hash, tagged.change_hash, measured.change_hash}) == 3


def test_new_latest_version_changes_content_hash_and_change_hash() -> None:
    before, after = (
        identify(Entity.MODELS, a_model()),
        identify(Entity.MODELS, a_model(latest_version=a_version(id="v-4"))),
    )
    assert before.content_hash != after.content_hash
    assert before.change_hash != after.change_hash


def test_new_snippet_changes_no_hash() -> None:
    before, after = (a_version(usage_code_snippet=snippet) for snippet in ("import a", "import b"))
    assert identify(Entity.MODEL_VERSIONS, before).content_hash == identify(Entity.MODEL_VERSIONS, after).content_hash
    old, new = (identify(Entity.MODELS, a_model(latest_version=version)) for version in (before, after))
    assert (old.content_hash, old.change_hash) == (new.content_hash, new.change_hash)


def test_time_that_differs_below_a_microsecond_changes_the_hash() -> None:
    times = ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00.000001Z", "2024-05-01T10:00:00.0000001Z")
    assert len({identify(Entity.MODELS, a_model(updated_at=time)).content_hash for time in times}) == 3
