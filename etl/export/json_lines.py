"""JSON Lines: one object for each row, with all columns; JSON columns are nested JSON."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from etl.export.text_format import moment, number
from etl.models.types import as_unicode
from etl.store.queries.export import Content, Kind, Row

_SUFFIX = ".jsonl"
_quote = json.JSONEncoder(ensure_ascii=False).encode


def _number(value: float) -> str:
    text = number(value)
    return f'"{text}"' if text[-1].isalpha() else text  # NaN and Infinity, for which JSON has no number


_WRITE: Mapping[Kind, Callable[[Any], str]] = {
    "text": lambda value: _quote(as_unicode(value)),
    "json": as_unicode,
    "integer": str,
    "number": _number,
    "boolean": lambda value: "true" if value else "false",
    "moment": lambda value: f'"{moment(value)}"',
}


class _JsonLines:
    """Writes one file for each table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, content: Content, chunks: Iterator[list[Row]]) -> str:
        """Write a table or view, and return the name of its file."""
        path = self._folder / f"{content.name}{_SUFFIX}"
        fields = [(_quote(field.name), _WRITE[field.kind]) for field in content.fields]
        with path.open("w", encoding="utf-8", newline="") as file:
            for rows in chunks:
                file.writelines(_object(fields, row) for row in rows)
        return path.name


def _object(fields: list[tuple[str, Callable[[Any], str]]], row: Row) -> str:
    pairs = zip(fields, row, strict=True)
    members = (f"{name}:{'null' if value is None else write(value)}" for (name, write), value in pairs)
    return f"{{{','.join(members)}}}\n"


@contextmanager
def open_writer(folder: Path, *, raw: bool) -> Iterator[_JsonLines]:  # noqa: ARG001 text is always as it is
    """JSON Lines into this folder."""
    yield _JsonLines(folder)
