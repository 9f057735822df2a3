"""CSV by RFC 4180, in UTF-8 with a header line. NULL is an empty field, and text is always quoted.

Text that a spreadsheet would take for a formula gets an apostrophe in front.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from etl.export.text_format import moment, number
from etl.models.types import escape
from etl.store.queries.export import Content, Kind, Row

_SUFFIX = ".csv"

# Some programs accept the full-width forms. Apostrophes before a formula are doubled, so that the guard can be undone.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


class _Csv:
    """Writes one file for each table."""

    def __init__(self, folder: Path, *, raw: bool) -> None:
        text = _quote if raw else _quote_guarded
        self._folder = folder
        self._write: Mapping[Kind, Callable[[Any], str]] = {
            "text": text,
            "json": text,
            "integer": str,
            "number": number,
            "boolean": lambda value: "true" if value else "false",
            "moment": moment,
        }

    def add(self, content: Content, chunks: Iterator[list[Row]]) -> str:
        """Write a table or view, and return the name of its file."""
        path = self._folder / f"{content.name}{_SUFFIX}"
        write = [self._write[field.kind] for field in content.fields]
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join(field.name for field in content.fields) + "\r\n")
            for rows in chunks:
                file.writelines(
                    ",".join("" if value is None else of(value) for of, value in zip(write, row, strict=True)) + "\r\n"
                    for row in rows
                )
        return path.name


@contextmanager
def open_writer(folder: Path, *, raw: bool) -> Iterator[_Csv]:
    """Write CSV files to a folder; `raw` leaves formulas unguarded."""
    yield _Csv(folder, raw=raw)


def guard_formula(text: str) -> str:
    """Prefix text that a spreadsheet would take for a formula with an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) else text


def _quote_guarded(text: str) -> str:
    return _quote(guard_formula(text))


def _quote(text: str) -> str:
    # Few readers of CSV accept a NUL character.
    return '"' + escape(text).replace('"', '""') + '"'
