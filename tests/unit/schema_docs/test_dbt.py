from typing import Any

import yaml

from etl import schema_docs
from etl.schema_docs import dbt
from tests.unit.schema_docs.builders import CONTENTS, PETS


def source(text: str) -> Any:
    """Return the only source of the file."""
    (only,) = yaml.safe_load(text)["sources"]
    return only


def table(of: Any, name: str) -> Any:
    (only,) = [each for each in of["tables"] if each["name"] == name]
    return only


def data_tests(of: Any) -> dict[str, Any]:
    return {column["name"]: column.get("data_tests", []) for column in of["columns"]}


OUTPUT = source(dbt.write(CONTENTS))
REAL = source(schema_docs.render("dbt"))


def test_dbt_sources_keep_descriptions_unchanged() -> None:
    assert [each["name"] for each in OUTPUT["tables"]] == ["teams", "pets", "pet_counts"]
    pets = table(OUTPUT, "pets")
    assert pets["description"] == "Their pets."
    descriptions = {column["name"]: column["description"] for column in pets["columns"]}
    assert descriptions == {column.name: column.description for column in PETS.columns}


def test_keys_nulls_references_and_values_become_tests() -> None:
    to = {"to": "source('tfy_registry', 'teams')", "field": "id"}
    assert data_tests(table(OUTPUT, "teams")) == {"id": ["unique", "not_null"]}
    assert data_tests(table(OUTPUT, "pets")) == {
        "team_id": ["not_null", {"relationships": {"arguments": to}}],
        "place": ["not_null"],
        "mood": [{"accepted_values": {"arguments": {"values": ["happy", "null"]}}}],
        "twin_id": [{"relationships": {"arguments": to, "config": {"severity": "warn"}}}],
        "born_at": ["not_null"],
    }


def test_a_key_of_several_columns_is_unique_as_a_whole() -> None:
    assert table(OUTPUT, "pets")["data_tests"] == [
        {"unique": {"arguments": {"column_name": "team_id || '/' || place"}}}
    ]
    assert "data_tests" not in table(OUTPUT, "teams")


def test_a_view_has_no_tests() -> None:
    assert data_tests(table(OUTPUT, "pet_counts")) == {"pets": []}


def test_two_dbt_sources_measure_the_age_of_the_last_complete_run() -> None:
    with_freshness = {each["name"]: each["config"] for each in REAL["tables"] if "config" in each}
    ages = {"warn_after": {"count": 1, "period": "day"}, "error_after": {"count": 2, "period": "day"}}
    assert with_freshness == {
        "sync_runs": {"loaded_at_field": "finished_at", "freshness": {**ages, "filter": "complete"}},
        "sync_freshness": {"loaded_at_field": "last_complete_at", "freshness": ages},
    }
    for name, config in with_freshness.items():
        assert config["loaded_at_field"] in data_tests(table(REAL, name))


def test_no_description_contains_template_syntax() -> None:
    descriptions = [REAL["description"]]
    for each in REAL["tables"]:
        descriptions += [each["description"], *(column["description"] for column in each["columns"])]
    assert [text for text in descriptions if any(sign in text for sign in ("{{", "{%", "{#"))] == []
