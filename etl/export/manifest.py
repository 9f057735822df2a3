"""The manifest of an export: its files, their hashes and their run. It also identifies a folder as an export."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import etl
from etl.export.text_format import moment
from etl.store import queries, schema
from etl.store.queries.export import Content, Kind

NAME = "manifest.json"
_KIND = "tfy-etl export"

TYPES: Mapping[Kind, str] = {
    "text": "text",
    "json": "json",
    "integer": "int64",
    "number": "double",
    "boolean": "boolean",
    "moment": "timestamp",
}
"""Names of the types in a manifest; a timestamp is in UTC, with microseconds."""


def header(connection: Any, format: str, at: datetime) -> dict[str, Any]:
    """Return the fields of the manifest without its files; `connection` reads a snapshot."""
    return {
        "kind": _KIND,
        "format": format,
        "tool_version": etl.__version__,
        "schema_revision": schema.head(),
        "exported_at": moment(at),
        "last_complete_run": _run(queries.export.newest_run(connection, complete=True)),
        "newest_run": _run(queries.export.newest_run(connection)),
    }


def files(folder: Path, names: Mapping[Content, str], counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Describe each file: its size, its hash and its tables."""
    return [
        {
            "file": name,
            "bytes": (folder / name).stat().st_size,
            "sha256": _sha256(folder / name),
            "tables": [_table(content, counts[content.name]) for content, in_ in names.items() if in_ == name],
        }
        for name in dict.fromkeys(names.values())
    ]


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest to the folder."""
    (folder / NAME).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def files_of(folder: Path) -> set[str] | None:
    """Return the names of the files of an export; None if the folder holds no export."""
    if not (folder / NAME).is_file():  # to read a device or a pipe could take for ever
        return None
    try:
        manifest = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return {NAME, *(each["file"] for each in manifest["files"])} if manifest["kind"] == _KIND else None
    except (FileNotFoundError, IsADirectoryError, LookupError, TypeError, ValueError):  # not a manifest of ours
        return None


def _run(run: queries.export.RunInfo | None) -> dict[str, Any] | None:
    if run is None:
        return None
    times = {"started_at": moment(run.started_at), "finished_at": run.finished_at and moment(run.finished_at)}
    return run._asdict() | times


def _table(content: Content, rows: int) -> dict[str, Any]:
    return {
        "table": content.name,
        "is_view": content.is_view,
        "description": content.comment,
        "rows": rows,
        "columns": [
            {"name": each.name, "type": TYPES[each.kind], "nullable": each.nullable, "description": each.comment}
            for each in content.fields
        ],
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
