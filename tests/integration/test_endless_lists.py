"""A list that never ends: the run ends, stores what it read, and deletes nothing."""

import pytest

from etl.models import Base, Model
from etl.simulator import fault
from tests.support.sync_env import SyncEnv

LIMIT = 150


@pytest.mark.parametrize("total", ["null", "10"])
@pytest.mark.parametrize("endpoint", ["ml-repos", "models", "model-versions"])
def test_endless_list_ends_the_run_as_partial_within_max_records(endpoint: str, total: str, env: SyncEnv) -> None:
    env.sync()
    before = env.held()
    deleted = env.registry.ids("models")[1]
    env.registry.delete_model(deleted)
    env.plane.log.clear()
    env.plane.faults = [fault(f"endless_list:{total},endpoint={endpoint}")]
    summary = env.sync(max_records=LIMIT, full=True)
    requests = len(env.plane.log)
    env.plane.faults = []

    assert (summary.status, summary.exit_code, summary.complete) == ("partial", 3, False)
    assert f"The list of {endpoint} has more records than --max-records" in " ".join(summary.warnings)
    assert sum(tally.deleted for tally in summary.tallies.values()) == 0
    assert requests < 60
    assert before["models"].keys() <= env.held()["models"].keys()

    again = env.sync(full=True, allow_mass_delete=True)
    assert again.complete
    assert env.held() == env.served()
    (row,) = env.rows(Base.metadata.tables["models"], Model.id == deleted)
    assert row["deleted_at"] is not None
