"""Exports all tables and views to files, for a data lake or a warehouse.

`exporter`     Exports one snapshot of the database, table by table, into a directory.
`directory`    Replaces a directory in one step.
`manifest`     The manifest of an export: its files, their hashes, and the run that they come from.
`text_format`  Numbers and times as text, for CSV and JSON Lines.
`arrow`        Tables in Arrow's types, for Parquet and DuckDB.
`parquet`, `duckdb_file`, `csv_files`, `json_lines`  One format each, with a function `files`.
"""

from etl.export.exporter import FORMATS, export

__all__ = ["FORMATS", "export"]
