"""Dagster and Prefect run the command, and act on its exit code."""

import pytest

from etl.simulator import fault
from etl.store import ALL_REPOS, Store
from tests.e2e.orchestrators.conftest import Orchestrator

pytestmark = pytest.mark.timeout(400)


def test_a_run_copies_the_registry(orchestrator: Orchestrator) -> None:
    succeeded, log = orchestrator.run()
    assert succeeded, log
    assert (orchestrator.env.held(), orchestrator.tries) == (orchestrator.env.served(), 1)


def test_a_transient_failure_is_retried(orchestrator: Orchestrator) -> None:
    orchestrator.env.plane.faults = [fault("flaky_500,times=1")]
    succeeded, log = orchestrator.run()
    assert (succeeded, orchestrator.tries) == (True, 2), log


@pytest.mark.parametrize(
    ("failure", "reason"),
    [("forbid:models", "403"), ("delete everything", "missing at the source"), ("odd", "rejected")],
)
def test_an_error_that_a_retry_cannot_fix_fails_without_retry(
    failure: str, reason: str, orchestrator: Orchestrator
) -> None:
    env = orchestrator.env
    env.sync()
    if failure == "delete everything":
        for model in env.registry.ids("models"):
            env.registry.delete_model(model)
    elif failure == "odd":
        env.registry.put_raw("models", "odd", {"name": "no id"})
    else:
        env.plane.faults = [fault(failure)]
    succeeded, log = orchestrator.run()
    assert (succeeded, orchestrator.tries) == (False, 1), log
    assert reason in log


def test_a_held_lock_counts_as_success_and_writes_nothing(orchestrator: Orchestrator) -> None:
    before = orchestrator.env.dump()
    with Store(orchestrator.env.url) as store:
        store.lock(ALL_REPOS, 0)
        succeeded, log = orchestrator.run()
    assert (succeeded, orchestrator.tries, orchestrator.env.dump()) == (True, 1, before), log
    assert "Another run is in progress" in log
