from datetime import UTC, datetime
from typing import Any

import pytest

from etl.records import Entity, InvalidRecord, identify
from etl.source.responses import LongInteger
from tests.records.builders import a_metric, a_model, a_version, an_ml_repo


def test_a_sighting_says_which_record_it_is_and_when_it_changed() -> None:
    seen = identify("model_versions", a_version(id=7.0, updated_at="2024-05-02T12:00:00+02:00"))
    assert (seen.entity, seen.id, seen.model_id, seen.ml_repo_id) == ("model_versions", "7", "m-1", "12")
    assert seen.updated_at == datetime(2024, 5, 2, 10, tzinfo=UTC)
    assert seen.change_hash is None
    assert len(seen.content_hash) == 32


def test_an_ml_repo_is_in_itself() -> None:
    assert identify("ml_repos", an_ml_repo()).ml_repo_id == "12"


@pytest.mark.parametrize(
    ("entity", "record", "reason"),
    [
        ("models", None, "it is null, where an object with an id was expected"),
        ("models", [a_model()], "it is a list, where an object with an id was expected"),
        ("models", "m-1", "it is text, where an object with an id was expected"),
        ("models", {}, "it has no id"),
        ("models", a_model(id=None), "it has no id"),
        ("models", a_model(id=""), "its id is empty"),
        ("models", a_model(id=True), "its id is a boolean, where text or a whole number was expected"),
        ("models", a_model(id=0.5), "its id is 0.5, where text or a whole number was expected"),
        ("models", a_model(id="m" * 2001), "its id is longer than the 2000 bytes that every database can index"),
        ("models", a_model(id=10**4000), "its id is longer than the 2000 bytes that every database can index"),
        ("model_versions", a_version(model_id=None), "it has no model_id"),
        (
            "model_versions",
            a_version(model_id={}),
            "its model_id is an object, where text or a whole number was expected",
        ),
        (
            "ml_repos",
            {"id": "1", "account_id": "a"},
            "it has neither tenant_name nor manifest, and every record of its kind has at least one",
        ),
        (
            "models",
            a_model(name=None, fqn=None),
            "it has neither name nor fqn, and every record of its kind has at least one",
        ),
        (
            "model_versions",
            a_version(fqn=None, manifest=None),
            "it has neither fqn nor manifest, and every record of its kind has at least one",
        ),
        (
            "model_versions",
            a_version(manifest={"metadata": [LongInteger("9" * 5000)]}),
            "its manifest holds a whole number of more digits than can be read",
        ),
        (
            "models",
            a_model() | {"\n": LongInteger("9" * 5000)},
            "a field of it holds a whole number of more digits than can be read",
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_with_a_reason(entity: Entity, record: object, reason: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        identify(entity, record)
    assert refused.value.reason == reason


@pytest.mark.parametrize("field", ["metadata", "usage_code_snippet", "latest_version"])
def test_endless_nesting_is_refused_wherever_it_is(field: str) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidRecord, match=f"^its {field} nests lists and objects more than 200 levels deep$"):
        identify("models", a_model(**{field: deep}))


def test_a_model_can_be_read_though_its_latest_version_cannot() -> None:
    unfit = a_version(size=LongInteger("9" * 5000))
    before, after = identify("models", a_model()), identify("models", a_model(latest_version=unfit))
    assert before.content_hash == after.content_hash
    assert before.change_hash != after.change_hash


def test_what_moves_in_the_latest_version_moves_the_fingerprint_alone() -> None:
    before = identify("models", a_model())
    tagged = identify("models", a_model(latest_version=a_version(tags=["champion"])))
    measured = identify("models", a_model(latest_version=a_version(metrics=[a_metric(value=0.2)])))
    assert before.content_hash == tagged.content_hash == measured.content_hash
    assert len({before.change_hash, tagged.change_hash, measured.change_hash}) == 3


def test_a_new_latest_version_moves_both() -> None:
    before, after = identify("models", a_model()), identify("models", a_model(latest_version=a_version(id="v-4")))
    assert before.content_hash != after.content_hash
    assert before.change_hash != after.change_hash


def test_a_new_snippet_moves_nothing() -> None:
    before, after = (a_version(usage_code_snippet=snippet) for snippet in ("import a", "import b"))
    assert identify("model_versions", before).content_hash == identify("model_versions", after).content_hash
    old, new = (identify("models", a_model(latest_version=version)) for version in (before, after))
    assert (old.content_hash, old.change_hash) == (new.content_hash, new.change_hash)


def test_a_microsecond_and_less_is_another_time() -> None:
    times = ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00.000001Z", "2024-05-01T10:00:00.0000001Z")
    assert len({identify("models", a_model(updated_at=time)).content_hash for time in times}) == 3
