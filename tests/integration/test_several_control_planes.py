"""Several control planes in one PostgreSQL database: a schema for each, and views over all of them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from etl import schema_docs
from etl.cli.db import upgrade_schema
from etl.errors import ConfigError
from etl.models import Base
from etl.settings import Settings
from etl.simulator import Registry, Simulator
from etl.store import ALL_REPOS, Store, open_engine
from etl.sync import Interrupts, Summary, run
from tests.support.sync_env import TOKEN, Silent

SIZES = {"prod": 3, 'it\'s "Staging"': 5}
"""The number of models of the control plane in each schema."""


@pytest.fixture
def settings_by_schema(database_url: str) -> Iterator[dict[str, Settings]]:
    """The settings of two control planes, each with a new schema of the same database."""
    registries = {
        schema: Registry.generate(seed, ml_repos=1, models=models, versions=1, metrics=1)
        for seed, (schema, models) in enumerate(SIZES.items())
    }
    one, two = (Simulator(registry, token=TOKEN) for registry in registries.values())
    with one, two:
        yield {
            schema: Settings(host=plane.url, api_key=TOKEN, database_url=database_url, schema=schema)
            for schema, plane in zip(registries, (one, two), strict=True)
        }


def sync(settings: Settings) -> Summary:
    return run(settings, interrupts=Interrupts(), progress=Silent())


@pytest.mark.parametrize("dialect", ["postgresql"])
def test_each_schema_has_its_own_copy_and_union_views_show_all(
    settings_by_schema: dict[str, Settings], database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for settings in settings_by_schema.values():
        with pytest.raises(ConfigError, match=r"create one with tfy-etl db upgrade --schema"):
            sync(settings)
        upgrade_schema(settings)
        upgrade_schema(settings)  # the schema exists by now
    first, second = settings_by_schema.values()
    with Store(first.database()) as store:  # the lock of one schema does not exclude runs in another
        store.lock(ALL_REPOS, 0)
        assert sync(second).complete
    assert sync(first).complete
    with pytest.raises(ConfigError, match=r"use another schema of PostgreSQL \(--schema\)"):
        sync(Settings(host=second.host, api_key=TOKEN, database_url=database_url, schema=first.schema))
    assert capsys.readouterr().out.count("Created at revision") == len(SIZES)

    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA everything")
        connection.exec_driver_sql("SET search_path = everything")
        connection.exec_driver_sql(schema_docs.render_union(list(SIZES)))
        model_counts = connection.execute(text("SELECT control_plane, count(*) FROM current_models GROUP BY 1")).all()
        assert dict(map(tuple, model_counts)) == SIZES
        for table in Base.metadata.tables:
            connection.exec_driver_sql(f"SELECT control_plane FROM {table} LIMIT 1")  # noqa: S608 names of our tables
    engine.dispose()
