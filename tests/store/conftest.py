"""Each run of these tests reads a small registry of its own, into each kind of database."""

from collections.abc import Iterator

import pytest

from tests.mirror import Mirror, mirrored


@pytest.fixture
def mirror(migrated_url: str) -> Iterator[Mirror]:
    with mirrored(migrated_url) as mirror:
        yield mirror
