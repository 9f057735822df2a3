"""Reports about a time whose changes `prune` deleted."""

from datetime import timedelta

from etl.models import SyncRun
from etl.report.activity import activity
from etl.report.key_figures import period_label
from tests.e2e.report.sample import move_back
from tests.integration.report.conftest import ReadData
from tests.support.history_oracle import prune
from tests.support.sync_env import SyncEnv


def test_weeks_whose_changes_were_pruned_are_unknown_and_not_zero(env: SyncEnv, read_data: ReadData) -> None:
    version = env.registry.ids("model-versions")[0]
    for days in (28, 14, 0):
        env.registry.set_tags(version, [f"tag-{days}"])
        env.sync()
        move_back(env, timedelta(days=14 if days else 0))
    before, pruned, _last = sorted(row["started_at"] for row in env.rows(SyncRun))
    data = read_data()
    (tags,) = (each for each in activity(data).panels if each.title == "Tags added or removed")
    assert data.recorded_from == before
    assert tags.values[-5:].count(None) == 0

    # The first run took so long that `prune` keeps its row.
    first = "(SELECT MIN(started_at) FROM sync_runs)"
    env.execute(f"UPDATE sync_runs SET finished_at = started_at WHERE started_at > {first}")  # noqa: S608 our own text
    env.execute(
        "UPDATE sync_runs SET finished_at = (SELECT MAX(started_at) FROM sync_runs) WHERE finished_at > started_at"
    )
    prune(env, pruned + timedelta(microseconds=1))
    data = read_data()
    (tags,) = (each for each in activity(data).panels if each.title == "Tags added or removed")
    assert data.recorded_from == data.since == pruned
    assert tags.values == [*[None] * 10, 0, 0, 2]
    assert period_label(data) == "so far"


def test_time_of_the_first_run_is_kept_if_only_its_row_was_pruned(env: SyncEnv, read_data: ReadData) -> None:
    for _ in range(3):
        env.sync()
        move_back(env, timedelta(days=14))
    first, second, _last = sorted(row["started_at"] for row in env.rows(SyncRun))
    prune(env, second)
    data = read_data()

    assert first not in {row["started_at"] for row in env.rows(SyncRun)}
    assert data.counts["first_run_at"] == data.recorded_from == first
