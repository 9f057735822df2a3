"""The tables and views as sources of dbt (1.10.5 or later), with descriptions, tests and freshness."""

import json
import re
from collections.abc import Iterator
from typing import Any

from etl.models.describe import ColumnDescription, RelationDescription
from etl.schema_docs.schema_description import SchemaDescription

SOURCE = "tfy_registry"

_HEAD = "# Made by `tfy-etl schema --format dbt`. A project says where the tables are by its variable tfy_etl_schema."

_SCHEMA = "{{ var('tfy_etl_schema', 'main' if target.type == 'sqlite' else 'public') }}"

_AGES = {"warn_after": {"count": 1, "period": "day"}, "error_after": {"count": 2, "period": "day"}}
_FRESHNESS: dict[str, dict[str, Any]] = {
    "sync_runs": {"loaded_at_field": "finished_at", "freshness": {**_AGES, "filter": "complete"}},
    "sync_freshness": {"loaded_at_field": "last_complete_at", "freshness": _AGES},
}
"""Where the age of what a run brought can be read."""

# Unquoted, anything else may be more to YAML than text.
_WORD = re.compile("[a-z_]{4,}|id")
_MORE_THAN_A_WORD = frozenset({"true", "false", "null"})


def write(schema: SchemaDescription) -> str:
    """The file `sources.yml`."""
    source = {
        "name": SOURCE,
        "description": "A TrueFoundry control plane's model registry, as tfy-etl keeps it. Ids are the source's own.",
        "schema": _SCHEMA,
        "tables": [_relation(each) for each in (*schema.tables, *schema.views)],
    }
    return "\n".join([_HEAD, *_yaml({"version": 2, "sources": [source]})])


def _relation(relation: RelationDescription) -> dict[str, Any]:
    told: dict[str, Any] = {"name": relation.name, "description": relation.description}
    if relation.name in _FRESHNESS:
        told["config"] = _FRESHNESS[relation.name]
    if len(relation.key) > 1:  # dbt's own test takes an expression for a column
        together = " || '/' || ".join(relation.key)
        told["data_tests"] = [{"unique": {"arguments": {"column_name": together}}}]
    return told | {"columns": [_column(column, relation.key) for column in relation.columns]}


def _column(column: ColumnDescription, key: tuple[str, ...]) -> dict[str, Any]:
    told: dict[str, Any] = {"name": column.name, "description": column.description}
    tests = list(_tests(column, key))
    return told | {"data_tests": tests} if tests else told


def _tests(column: ColumnDescription, key: tuple[str, ...]) -> Iterator[str | dict[str, Any]]:
    if key == (column.name,):
        yield "unique"
    if column.nullable is False:
        yield "not_null"
    if column.one_of:
        yield {"accepted_values": {"arguments": {"values": list(column.one_of)}}}
    if to := column.refers_to:
        test: dict[str, Any] = {"arguments": {"to": f"source('{SOURCE}', '{to.table}')", "field": to.column}}
        if not to.enforced:  # the source may list the one without the other
            test["config"] = {"severity": "warn"}
        yield {"relationships": test}


def _yaml(value: dict[str, Any] | list[Any], indent: str = "") -> Iterator[str]:
    """The value as YAML: what is written here is plain enough to need no library at run time."""
    for key, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        start = f"{indent}-" if key is None else f"{indent}{key}:"
        if not isinstance(item, dict | list):
            yield f"{start} {_scalar(item)}"
        elif key is None:  # the first line stands behind the dash
            first, *others = _yaml(item, f"{indent}  ")
            yield from (f"{start} {first.lstrip()}", *others)
        else:
            yield from (start, *_yaml(item, f"{indent}  "))


def _scalar(value: str | int) -> str:
    if isinstance(value, str) and _WORD.fullmatch(value) and value not in _MORE_THAN_A_WORD:
        return value
    return json.dumps(value, ensure_ascii=False)  # which is YAML, too
