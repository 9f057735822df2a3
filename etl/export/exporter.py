"""Exports one snapshot of the database, table by table, into a folder that is replaced in one step."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from etl.errors import ConfigError, missing_extra
from etl.export import directory, manifest
from etl.store import open_readonly, queries
from etl.store.queries.export import Content, Row

_MODULES = {"parquet": "parquet", "csv": "csv_files", "jsonl": "json_lines", "duckdb": "duckdb_file"}
"""Module of each format, imported on use: two need optional libraries that are slow to import."""

FORMATS = tuple(_MODULES)

_log = logging.getLogger(__name__)


class TableWriter(Protocol):
    """Writes files of one format to a folder."""

    def add(self, content: Content, chunks: Iterator[list[Row]]) -> str:
        """Write a table or view chunk by chunk, and return the name of its file."""


class Format(Protocol):
    """The module of a format."""

    def open_writer(self, folder: Path, *, raw: bool) -> AbstractContextManager[TableWriter]:
        """Open a writer, whose files are complete when the context ends; `raw` leaves text as it is."""


def export(  # noqa: PLR0913 all but the first three are keyword-only
    url: str, target: Path, format: str, *, tables: Sequence[str] = (), views: bool = False, raw: bool = False
) -> dict[str, Any]:
    """Export the named tables and views, or else all tables, to a folder, and return the manifest.

    `views` adds all views, which can be computed from the tables again. `raw` leaves text in CSV as it is, also text
    that a spreadsheet would take for a formula. Raises EtlError, and then leaves the folder unchanged.
    """
    module, chosen = _format(format), _select(tables, views=views)
    with directory.replacing(target) as scratch:
        with open_readonly(url) as connection, queries.export.snapshot(connection) as moment:
            summary = manifest.header(connection, format, moment)
            with module.open_writer(scratch, raw=raw) as writer:
                counts = Counter[str]()
                names = {
                    content: writer.add(
                        content, _count_rows(queries.export.rows(connection, content.name), content, counts)
                    )
                    for content in chosen
                }
        summary |= {"files": manifest.files(scratch, names, counts)}
        manifest.write(scratch, summary)
    return summary


def _count_rows(chunks: Iterator[list[Row]], content: Content, counts: Counter[str]) -> Iterator[list[Row]]:
    """Yield the chunks, and add their rows to `counts`."""
    for chunk in chunks:
        counts[content.name] += len(chunk)
        yield chunk
    _log.debug("%s: %d rows", content.name, counts[content.name])


def _format(name: str) -> Format:
    """Return the module of a format. Raises ConfigError if its library is not installed."""
    try:
        module: Any = import_module(f"etl.export.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        if error.name not in {"pyarrow", "duckdb"}:
            raise
        raise missing_extra(f"The format {name}", "export", alternative="use --format csv or jsonl") from error
    found: Format = module
    return found


def _select(names: Sequence[str], *, views: bool) -> list[Content]:
    """Return the named tables and views, or else all tables, in schema order. Raises ConfigError for an unknown name.

    `views` adds all views.
    """
    known = queries.export.tables_and_views()
    if unknown := next((name for name in names if name not in known), None):
        near = get_close_matches(unknown, known, n=1)
        meant = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}."
        raise ConfigError(f"There is no table or view {unknown!r}: {meant}")
    return [
        content
        for name, content in known.items()
        if name in names or (views and content.is_view) or not (names or content.is_view)
    ]
