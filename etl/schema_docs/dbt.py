"""The tables and views as dbt sources (dbt 1.10.5 or later), with descriptions, tests and freshness."""

import json
import re
from collections.abc import Iterator
from typing import Any

from etl.models.describe import ColumnDescription, RelationDescription
from etl.schema_docs.schema_description import SchemaDescription

SOURCE = "tfy_registry"

_HEAD = "# Made by `tfy-etl schema --format dbt`. The dbt variable tfy_etl_schema names the schema with the tables."

_SCHEMA = "{{ var('tfy_etl_schema', 'main' if target.type == 'sqlite' else 'public') }}"

_AGES = {"warn_after": {"count": 1, "period": "day"}, "error_after": {"count": 2, "period": "day"}}
_FRESHNESS: dict[str, dict[str, Any]] = {
    "sync_runs": {"loaded_at_field": "finished_at", "freshness": {**_AGES, "filter": "complete"}},
    "sync_freshness": {"loaded_at_field": "last_complete_at", "freshness": _AGES},
}
"""The columns by which dbt measures freshness."""

# Any other text is quoted, because YAML may not read it as text.
_WORD = re.compile("[a-z_]{4,}|id")
_MORE_THAN_A_WORD = frozenset({"true", "false", "null"})


def write(schema: SchemaDescription) -> str:
    """Render the file `sources.yml`."""
    source = {
        "name": SOURCE,
        "description": "A TrueFoundry control plane's model registry, copied by tfy-etl. Ids are those of the source.",
        "schema": _SCHEMA,
        "tables": [_relation(each) for each in (*schema.tables, *schema.views)],
    }
    return "\n".join([_HEAD, *_yaml({"version": 2, "sources": [source]})])


def _relation(relation: RelationDescription) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": relation.name, "description": relation.description}
    if relation.name in _FRESHNESS:
        entry["config"] = _FRESHNESS[relation.name]
    if len(relation.key) > 1:  # dbt's unique test accepts an expression as a column
        together = " || '/' || ".join(relation.key)
        entry["data_tests"] = [{"unique": {"arguments": {"column_name": together}}}]
    return entry | {"columns": [_column(column, relation.key) for column in relation.columns]}


def _column(column: ColumnDescription, key: tuple[str, ...]) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.name, "description": column.description}
    tests = list(_tests(column, key))
    return entry | {"data_tests": tests} if tests else entry


def _tests(column: ColumnDescription, key: tuple[str, ...]) -> Iterator[str | dict[str, Any]]:
    if key == (column.name,):
        yield "unique"
    if column.nullable is False:
        yield "not_null"
    if column.one_of:
        yield {"accepted_values": {"arguments": {"values": list(column.one_of)}}}
    if to := column.refers_to:
        test: dict[str, Any] = {"arguments": {"to": f"source('{SOURCE}', '{to.table}')", "field": to.column}}
        if not to.enforced:  # the source may list one record without the other
            test["config"] = {"severity": "warn"}
        yield {"relationships": test}


def _yaml(value: dict[str, Any] | list[Any], indent: str = "") -> Iterator[str]:
    """Render a value as YAML, which is simple enough here to need no library."""
    for key, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        start = f"{indent}-" if key is None else f"{indent}{key}:"
        if not isinstance(item, dict | list):
            yield f"{start} {_scalar(item)}"
        elif key is None:  # the first line follows the dash
            first, *others = _yaml(item, f"{indent}  ")
            yield from (f"{start} {first.lstrip()}", *others)
        else:
            yield from (start, *_yaml(item, f"{indent}  "))


def _scalar(value: str | int) -> str:
    if isinstance(value, str) and _WORD.fullmatch(value) and value not in _MORE_THAN_A_WORD:
        return value
    return json.dumps(value, ensure_ascii=False)  # JSON is YAML
