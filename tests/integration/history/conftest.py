"""A small registry without tags and aliases, in each kind of database."""

from collections.abc import Iterator

import pytest

from etl.simulator import Registry
from tests.support.sync_env import SyncEnv, sync_env


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    registry = Registry.generate(seed=2, ml_repos=2, models=2, versions=2, metrics=1, empty_share=0)
    for version in registry.ids("model-versions"):
        registry.set_tags(version, [])
        registry.set_alias(version, None)
    with sync_env(migrated_url, registry) as env:
        yield env
