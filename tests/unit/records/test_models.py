from datetime import UTC, datetime

import pytest

from etl.enums import Entity
from etl.records import ModelRow, embedded_version, identify, to_rows
from tests.support.rebuild_records import rebuild
from tests.support.record_builders import Record, a_model, a_version


def test_model_becomes_rows_of_model_run_steps_and_creator() -> None:
    identified = identify(Entity.MODELS, a_model(labels=["new"]))
    rows = to_rows(identified)
    assert rows["models"] == [
        ModelRow(
            id="m-1",
            ml_repo_id="12",
            name="churn",
            fqn="model:acme/churn/churn",
            type="model",
            created_by_id="user-1",
            created_at=datetime(2024, 5, 1, 10, tzinfo=UTC),
            updated_at=datetime(2024, 5, 2, 10, tzinfo=UTC),
            latest_version_id="v-3",
            extra={"labels": ["new"]},
            content_hash=identified.content_hash,
        )
    ]
    assert rows["model_run_steps"] == [("m-1", 0, 1), ("m-1", 1, 2)]
    assert [row[0] for row in rows["subjects"]] == ["user-1"]


def test_model_rebuilt_without_its_latest_version_holds_that_versions_id() -> None:
    rows = to_rows(identify(Entity.MODELS, a_model()))
    assert rebuild(Entity.MODELS, rows)["latest_version"] == {"id": "v-3"}


@pytest.mark.parametrize(
    "latest",
    [
        a_version(model_id=None),
        a_version(id=""),
        a_version(fqn=None, manifest=None),
        {"id": "v", "model_id": "m"},
        "v",
        {},
    ],
)
def test_unusable_embedded_version_stays_in_the_models_extra(latest: object) -> None:
    model = a_model(latest_version=latest)
    assert embedded_version(model) is None
    assert rebuild(Entity.MODELS, to_rows(identify(Entity.MODELS, model)))["latest_version"] == latest


@pytest.mark.parametrize(
    ("steps", "stored", "extra"),
    [
        ([1, 2.0], [(0, 1), (1, 2)], None),
        ([], [], {"run_steps": []}),
        ([1, "2", 3], [(0, 1), (2, 3)], {"run_steps": [1, "2", 3]}),
        (7, [], {"run_steps": 7}),
    ],
)
def test_run_steps_that_no_row_can_hold_stay_unchanged(
    steps: object, stored: list[tuple[int, int]], extra: Record | None
) -> None:
    rows = to_rows(identify(Entity.MODELS, {"id": "m-1", "name": "churn", "run_steps": steps}))
    assert [row[1:] for row in rows["model_run_steps"]] == stored
    assert ModelRow._make(rows["models"][0]).extra == extra
