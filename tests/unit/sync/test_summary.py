from typing import Any

import pytest

from etl.enums import Entity, RunStatus
from etl.store import Tally
from etl.sync import Summary
from etl.sync.plan import Plan


def a_summary(**changes: Any) -> Summary:
    defaults: dict[str, Any] = {
        "run_id": "r",
        "status": RunStatus.SUCCEEDED,
        "complete": True,
        "coverage": "all",
        "mode": "incremental",
        "proof": "anchored",
        "duration_s": 1.23456,
        "requests": 5,
        "retries": 1,
        "bytes_received": 999,
        "tallies": {
            Entity.ML_REPOS: Tally(),
            Entity.MODELS: Tally(seen=3, inserted=1, unchanged=1, restored=1),
            Entity.MODEL_VERSIONS: Tally(seen=9, updated=4, unchanged=4, deleted=2, rejected=1),
        },
        "plan": Plan("by model", 1, "1 model looks changed"),
    }
    return Summary(**defaults | changes)


def test_the_json_object_has_the_documented_keys() -> None:
    assert a_summary(warnings=["look"]).as_json() == {
        "run_id": "r",
        "status": RunStatus.SUCCEEDED,
        "complete": True,
        "coverage": "all",
        "mode": "incremental",
        "proof": "anchored",
        "duration_s": 1.235,
        "requests": 5,
        "retries": 1,
        "bytes": 999,
        "ml_repos": {"seen": 0, "inserted": 0, "updated": 0, "unchanged": 0, "deleted": 0, "restored": 0},
        "models": {"seen": 3, "inserted": 1, "updated": 0, "unchanged": 1, "deleted": 0, "restored": 1},
        "model_versions": {"seen": 9, "inserted": 0, "updated": 4, "unchanged": 4, "deleted": 2, "restored": 0},
        "rejected": 1,
        "plan": {"versions": "by model", "requests": 1, "because": "1 model looks changed"},
        "warnings": ["look"],
    }


@pytest.mark.parametrize(
    ("complete", "rejected", "exit_code"), [(True, 0, 0), (True, 1, 3), (False, 0, 3), (False, 1, 3)]
)
def test_the_exit_code_shows_rejected_records_and_unproven_lists(
    *, complete: bool, rejected: int, exit_code: int
) -> None:
    summary = a_summary(complete=complete, tallies={Entity.MODELS: Tally(seen=1, rejected=rejected)})

    assert summary.exit_code == exit_code


def test_a_total_counts_the_live_records_after_the_run() -> None:
    tallies = {Entity.MODELS: Tally(seen=9, inserted=3, restored=1, deleted=2, updated=4)}
    assert a_summary(tallies=tallies, live={Entity.MODELS: 10}).total(Entity.MODELS) == 12
