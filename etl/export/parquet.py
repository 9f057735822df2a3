"""Parquet: one file for each table, with one row group for each chunk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet

from etl.export import arrow
from etl.store.queries.export import Content, Row

_SUFFIX = ".parquet"


class _Parquet:
    """Writes one file for each table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, content: Content, chunks: Iterator[list[Row]]) -> str:
        """Write a table or view, and return the name of its file."""
        path, schema = self._folder / f"{content.name}{_SUFFIX}", arrow.schema(content)
        with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            for rows in chunks:
                writer.write_batch(arrow.batch(schema, content, rows))
        return path.name


@contextmanager
def open_writer(folder: Path, *, raw: bool) -> Iterator[_Parquet]:  # noqa: ARG001 only CSV has raw text
    """Write Parquet files to a folder."""
    yield _Parquet(folder)
