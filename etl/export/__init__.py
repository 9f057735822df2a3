"""All tables and views as files, for a lake or a warehouse.

work        the export: one snapshot, table by table, into a folder that appears whole or not at all
folder      how a folder takes the place of another
manifest    what stands beside the files: what they are, of which run, and their hashes
parquet, duckdb_file, csv_files, json_lines    a format each, with a function `files`; arrow is what the first two share
"""

from etl.export.exporter import FORMATS, export

__all__ = ["FORMATS", "export"]
