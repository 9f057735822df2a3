"""Records with random fields, valid and invalid, lose no data as rows, nor in a whole run."""

import random
from collections import Counter

import pytest

from etl.enums import Entity
from tests.fuzz.arbitrary_records import RandomSource, arbitrary_record
from tests.fuzz.round_trip import proven_rows
from tests.support.load_factor import LOAD_FACTOR, repetitions, report
from tests.support.malformed_records import BadRecord, serve
from tests.support.served_records import agreeing, lost
from tests.support.sync_env import sync_env

_BATCH = repetitions(60, at_full_scale=200)
"""Records of each entity that a run reads."""


@pytest.mark.timeout(300 * LOAD_FACTOR)
def test_record_with_random_fields_is_rebuilt_from_its_rows_or_rejected() -> None:
    source = RandomSource(random.Random())  # noqa: S311 no secret
    entities, found = tuple(Entity), Counter[str]()
    for number in range(repetitions(10_000, at_full_scale=1_000_000)):
        entity = entities[number % 3]
        rows = proven_rows(entity, arbitrary_record(source, entity))
        found["rejected" if rows is None else "stored"] += 1
    assert found["stored"] > found["rejected"]  # 52% are stored; with far fewer records, it might be less than half
    report("records fuzzed", records=found.total(), **found)


@pytest.mark.timeout(300 * LOAD_FACTOR)
def test_run_loses_no_record_with_random_fields(migrated_url: str, dialect: str) -> None:
    source = RandomSource(random.Random())  # noqa: S311 no secret
    found = Counter[str]()
    with sync_env(migrated_url) as env:
        for _ in range(repetitions(1, at_full_scale=50)):
            batch = [BadRecord(entity, arbitrary_record(source, entity)) for entity in Entity for _ in range(_BATCH)]
            batch = agreeing(batch)
            serve(env, {str(number): each for number, each in enumerate(batch)})
            summary = env.sync(page_size=100, full=True, allow_mass_delete=True)

            assert lost(env) == []
            assert summary.exit_code == 3
            found += Counter(records=len(batch), rejected=summary.rejected)
    report("records fuzzed through a run", dialect, **found)
