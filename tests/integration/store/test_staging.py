from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg
import pytest
import sqlalchemy as sa

from etl.enums import Entity, Outcome
from etl.store import Known, Observed, Staging, open_engine
from etl.store.staging_tables import NO_ID
from tests.support.sync_env import SyncEnv

ODD = ["plain", "NUL \x00", "lone \ud800", "escape ␛0000", "astral \U0001f600", "quote ' \" \\", "%s :x {}"]
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def staging(migrated_url: str) -> Iterator[Staging]:
    engine = open_engine(migrated_url)
    with engine.connect() as connection:
        yield Staging(connection)
    engine.dispose()


def test_new_record_has_no_known_state(staging: Staging) -> None:
    nothing = Known(
        *(None, None, None),
        deleted=False, is_derived=False, seen_hash=None, seen_updated_at=None, read_change_hash=None,
    )  # fmt: skip

    assert staging.known(Entity.MODELS, ODD) == dict.fromkeys(ODD, nothing)
    assert staging.stored(Entity.MODELS, ODD) == {}


def test_observed_record_has_a_known_state_for_any_id(staging: Staging) -> None:
    staging.stage(
        {},
        [Observed(Entity.MODELS, each, Outcome.INSERTED, NOON, f"hash of {place}") for place, each in enumerate(ODD)],
    )
    known = staging.known(Entity.MODELS, ODD)

    assert {each: (known[each].seen_hash, known[each].seen_updated_at) for each in ODD} == {
        each: (f"hash of {place}", NOON) for place, each in enumerate(ODD)
    }
    assert set(staging.seen_ids(Entity.MODELS)) == set(ODD)


def test_ids_of_several_chunks_are_returned_once_and_in_order(staging: Staging) -> None:
    ids = [f"{number:05}" for number in range(2000)]
    staging.stage({}, [Observed(Entity.MODELS, each, Outcome.UNCHANGED, ml_repo_id="1") for each in ids])
    staging.mark_due(ids[::2])
    staging.mark_due(ids)

    assert list(staging.seen_ids(Entity.MODELS)) == ids
    assert list(staging.due()) == ids
    assert (staging.count_seen(Entity.MODELS), staging.count_due()) == (2000, 2000)
    assert list(staging.models_outside(["1"])) == []
    assert list(staging.models_outside(["2"])) == ids


def test_mark_all_due_marks_every_model_that_has_an_id(staging: Staging) -> None:
    staging.stage(
        {},
        [
            Observed(Entity.MODELS, "a", Outcome.INSERTED),
            Observed(Entity.MODELS, "b", Outcome.REJECTED),
            Observed(Entity.MODELS, f"{NO_ID}0123", Outcome.REJECTED),
            Observed(Entity.ML_REPOS, "c", Outcome.INSERTED),
        ],
    )
    staging.mark_due(["a"])
    staging.mark_all_due()
    staging.mark_due([])

    assert list(staging.due()) == ["a", "b"]


def test_without_latest_returns_models_whose_latest_version_was_not_observed(staging: Staging) -> None:
    staging.stage(
        {},
        [
            Observed(Entity.MODELS, "arrived", Outcome.INSERTED, latest_version_id="v1"),
            Observed(Entity.MODELS, "empty", Outcome.INSERTED),
            Observed(Entity.MODELS, "missing", Outcome.INSERTED, latest_version_id="v2"),
            Observed(Entity.MODEL_VERSIONS, "v1", Outcome.INSERTED),
        ],
    )
    assert list(staging.without_latest()) == ["missing"]


@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.parametrize("query", [Staging.any_lacks_latest, Staging.mark_incomplete_without_latest])
def test_postgresql_has_statistics_before_it_joins_models_with_their_versions(
    query: Callable[[Staging], object], migrated_url: str
) -> None:
    rows = sa.text("SELECT reltuples FROM pg_class WHERE oid = CAST('pg_temp.observed' AS regclass)")
    engine = open_engine(migrated_url)
    with engine.connect() as connection:
        staging = Staging(connection)
        staging.stage({}, [Observed(Entity.MODELS, "m", Outcome.INSERTED, latest_version_id="v")])
        staging.mark_incomplete(["m"])

        query(staging)

        with connection.begin():
            assert connection.scalar(rows) == 1
    engine.dispose()


def test_stored_rows_are_returned_as_staged(env: SyncEnv) -> None:
    env.sync()
    version = env.registry.records("model-versions")[0]
    engine = open_engine(env.url)
    with engine.connect() as connection:
        stored = Staging(connection).stored(Entity.MODEL_VERSIONS, [version["id"], "nobody"])
    engine.dispose()

    assert stored.keys() == {version["id"]}
    rows = stored[version["id"]]
    assert rows["model_versions"][0][:4] == (version["id"], version["model_id"], "1", version["fqn"])
    assert [row[2] for row in rows["model_version_tags"]] == (version["tags"] or [])
    assert [row[2] for row in rows["model_version_metrics"]] == [metric["key"] for metric in version["metrics"]]


@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.parametrize("implementation", ["binary", "python"])
def test_odd_values_are_copied_unchanged_with_and_without_the_c_build_of_the_driver(
    implementation: str, env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, text in zip(env.registry.ids("model-versions"), [*ODD, "tab\tline\nend\r", "\\N", ""], strict=False):
        fields = {"tags": [text], "usage_code_snippet": text}
        metrics = [{"key": text, "value": value, "step": 2**60, "timestamp": 1} for value in (0.1, -0.0, 1e308, None)]
        env.registry.set_fields(version, fields | {"metrics": metrics}, touch=False)
    assert psycopg.pq.__impl__ != "python"  # otherwise both parameters would test the same form
    monkeypatch.setattr("psycopg.pq.__impl__", implementation)

    env.sync()

    assert env.held() == env.served()
