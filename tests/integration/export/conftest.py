"""A small registry with malformed records, in each kind of database."""

from collections.abc import Iterator

import pytest

from tests.support.malformed_records import KEPT, ODD, REFUSED, serve
from tests.support.record_builders import a_manifest, a_version
from tests.support.sync_env import SyncEnv, sync_env

FORMULAS = ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\nx", "\uff1d1", "'=1", "''=1", "'tis", "a=1", "", ODD]
QUOTED = 'say "hi", twice;\r\nand in a line\nof its own \\ \u2028 \U0001f600'


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    """Malformed and valid records, after two runs with a change between them."""
    with sync_env(migrated_url) as env:
        serve(env, KEPT | REFUSED)
        odd = a_version(id="formulas", tags=FORMULAS, manifest=a_manifest(description='=HYPERLINK("http://x")'))
        env.registry.put_raw("model-versions", "formulas", odd)
        env.registry.put_raw("model-versions", "quoted", a_version(id="quoted", usage_code_snippet=QUOTED))
        env.sync()
        env.registry.set_fields(env.registry.ids("model-versions")[0], {"tags": ["prod", ODD], "deployable": None})
        env.sync(full=True)
        yield env
