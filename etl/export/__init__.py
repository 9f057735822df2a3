"""Exports all tables and views to files, for a data lake or a warehouse.

exporter     exports one snapshot of the database, table by table, into a directory
directory    replaces a directory in one step
manifest     the manifest of an export: its files, their hashes, and the run that they come from
text_format  numbers and times as text, for CSV and JSON Lines
arrow        tables in Arrow's types, for Parquet and DuckDB
parquet, duckdb_file, csv_files, json_lines    one format each, with a function `files`
"""

from etl.export.exporter import FORMATS, export

__all__ = ["FORMATS", "export"]
