"""Each run of these tests reads a small registry of its own, into each kind of database."""

from collections.abc import Iterator

import pytest

from tests.support.sync_env import SyncEnv, sync_env


@pytest.fixture
def mirror(migrated_url: str) -> Iterator[SyncEnv]:
    with sync_env(migrated_url) as mirror:
        yield mirror
