"""Tables in Arrow's types, from which Parquet and DuckDB are written."""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from etl.models.types import all_unicode
from etl.store.queries.export import Content, Field, Kind, Row

_TYPES: Mapping[Kind, Any] = {
    "text": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "moment": pa.timestamp("us", tz="UTC"),
}


def schema(content: Content) -> pa.Schema:
    """Return the schema of a table; its metadata holds the descriptions and the names of JSON columns."""
    metadata = {
        "table": content.name,
        "comment": content.comment,
        "json_columns": json.dumps([field.name for field in content.fields if field.kind == "json"]),
    }
    return pa.schema([_field(each) for each in content.fields], metadata=metadata)


def batch(schema: pa.Schema, content: Content, rows: list[Row]) -> pa.RecordBatch:
    """Convert rows to columns; lone surrogates in text are escaped."""
    columns = zip(content.fields, zip(*rows, strict=True), strict=True)
    return pa.record_batch(
        [
            pa.array(all_unicode(values) if field.kind in {"text", "json"} else values, _TYPES[field.kind])
            for field, values in columns
        ],
        schema=schema,
    )


def _field(field: Field) -> pa.Field:
    metadata = {"comment": field.comment} | ({"content": "json"} if field.kind == "json" else {})
    return pa.field(field.name, _TYPES[field.kind], field.nullable, metadata)
