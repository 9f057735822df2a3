from typing import Any

import pytest

from etl.airflow.hook import database_url_of
from etl.airflow.lineage import database_name
from etl.settings import Settings
from etl.urls import with_schema
from tests.e2e.airflow.conftest import Connect


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"schema": "registry"}, "postgres://db:5432/registry.public"),
        ({"schema": "my registry"}, "postgres://db:5432/my registry.public"),
        ({"schema": "r", "port": 5433, "host": "/run/pg"}, "postgres:///run/pg:5433/r.public"),
        ({"schema": "r", "extra": {"options": "-csearch_path=plane_a"}}, "postgres://db:5432/r.plane_a"),
        (
            {"schema": "r", "extra": {"options": '-c geqo=off -c search_path="$user",plane_a,public'}},
            "postgres://db:5432/r.plane_a",
        ),
        ({"schema": "r", "extra": {"options": "-c statement_timeout=5min"}}, "postgres://db:5432/r.public"),
    ],
)
def test_lineage_names_the_database_and_the_schema_of_a_connection(
    fields: dict[str, Any], name: str, connect: Connect
) -> None:
    url = database_url_of(connect("registry_db", **{"conn_type": "postgres", "host": "db", "login": "etl"} | fields))
    assert database_name(Settings(database_url=url)) == name


@pytest.mark.parametrize("schema", ["plane_a", "Plane B", 'odd "one"', "back\\slash"])
def test_lineage_names_any_schema(schema: str) -> None:
    url = with_schema("postgresql://etl@db/r", schema)
    assert database_name(Settings(database_url=url)) == f"postgres://db:5432/r.{schema}"
