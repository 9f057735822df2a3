"""A minimal loader without any guarantees, as a lower bound: fetch, parse, insert, commit.

    TFY_HOST=… TFY_API_KEY=… python -m bench.peers.direct sqlite:///FILE | postgresql://…

It fills the empty tables of `tfy-etl db upgrade` in one transaction, by `executemany` on SQLite and by COPY on
PostgreSQL. It does not validate, hash, compare or stage records, does not overlap pages, and leaves out subjects and
history.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import psycopg
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from psycopg import sql

from bench.peers.fetch import LISTS, Pages, options

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]
Load = Callable[[str, tuple[str, ...], list[Row]], object]

_NOW = datetime.now(UTC).isoformat(" ")[:26]
_SYNCED = ("content_hash", "first_seen_at", "last_changed_at")
_SYNCED_VALUES = ("", _NOW, _NOW)
COLUMNS = {
    "ml_repos": (
        "id", "tenant_name", "name", "description", "storage_integration_fqn", "created_by_id",
        "created_at", "is_derived",
    ),
    "models": (
        "id", "ml_repo_id", "name", "fqn", "type", "created_by_id", "created_at", "updated_at", "latest_version_id",
    ),
    "model_versions": (
        "id", "model_id", "ml_repo_id", "fqn", "version", "version_alias", "description", "source_type", "source_uri",
        "framework_type", "library_name", "pipeline_tag", "base_model", "python_version", "step", "run_id",
        "deployable", "artifact_size_bytes", "usage_code_snippet", "created_by_id", "created_at", "updated_at",
        "metadata", "manifest",
    ),
    "model_version_tags": ("model_version_id", "position", "tag"),
    "model_version_metrics": (
        "model_version_id", "position", "key", "value", "step", "timestamp_ms", "logged_at",
    ),
    "model_version_packages": ("model_version_id", "position", "requirement", "name", "specifier", "pinned_version"),
}  # fmt: skip


def moment(text: str) -> str:
    """Convert a time of the source to the format of SQLite tables, which PostgreSQL accepts too."""
    return f"{text[:10]} {text[11:26]}"


def ml_repo_rows(record: dict[str, Any]) -> Rows:
    """Return the row of an ML repo."""
    manifest = record["manifest"]
    row = (
        record["id"],
        record["tenant_name"],
        manifest["name"],
        manifest["description"],
        manifest["storage_integration_fqn"],
        record["created_by_subject"]["subjectId"],
        moment(record["created_at"]),
        False,
    )
    return {"ml_repos": [row + _SYNCED_VALUES]}


def model_rows(record: dict[str, Any]) -> Rows:
    """Return the row of a model."""
    row = (
        *(record[name] for name in ("id", "ml_repo_id", "name", "fqn", "type")),
        record["created_by_subject"]["subjectId"],
        moment(record["created_at"]),
        moment(record["updated_at"]),
        record["latest_version"]["id"],
    )
    return {"models": [row + _SYNCED_VALUES]}


def version_rows(record: dict[str, Any]) -> Rows:
    """Return the rows of a version."""
    version_id, manifest = record["id"], record["manifest"]
    source, framework, environment = (manifest[part] or {} for part in ("source", "framework", "environment"))
    row = (
        *(record[name] for name in ("id", "model_id", "ml_repo_id", "fqn")),
        *(manifest[name] for name in ("version", "version_alias", "description")),
        source["type"],
        source.get("uri") or source.get("file_or_folder"),
        *(framework.get(name) for name in ("type", "library_name", "pipeline_tag", "base_model")),
        environment.get("python_version"),
        manifest["step"],
        manifest["run_id"],
        record["deployable"],
        manifest["metadata"][".truefoundry"]["artifact_size"],
        record["usage_code_snippet"],
        record["created_by_subject"]["subjectId"],
        moment(record["created_at"]),
        moment(record["updated_at"]),
        json.dumps(manifest["metadata"]),
        json.dumps(manifest),
    )
    return {
        "model_versions": [row + _SYNCED_VALUES],
        "model_version_tags": [(version_id, position, tag) for position, tag in enumerate(record["tags"] or ())],
        "model_version_metrics": [
            (version_id, position, each["key"], each["value"], int(each["step"]), each["timestamp"], _logged(each))
            for position, each in enumerate(record["metrics"] or ())
        ],
        "model_version_packages": [
            (version_id, position, text, *_parse_name(text))
            for position, text in enumerate(environment.get("pip_packages", ()))
        ],
    }


def _logged(metric: dict[str, Any]) -> str:
    moment = datetime.fromtimestamp(metric["timestamp"] / 1000, UTC)
    return moment.isoformat(" ", "microseconds")[:26]


@lru_cache(maxsize=8192)
def _parse_name(requirement: str) -> tuple[str, str, str | None]:
    parsed = Requirement(requirement)
    exact = [each.version for each in parsed.specifier if each.operator in {"==", "==="}]
    pinned = min((version for version in exact if not version.endswith(".*")), default=None)
    return canonicalize_name(parsed.name), str(parsed.specifier), pinned


def load_lists(pages: Pages, load: Load) -> None:
    """Load each page into the tables."""
    for endpoint, rows_of in zip(LISTS, (ml_repo_rows, model_rows, version_rows), strict=True):
        for page in pages.of(endpoint):
            for table, rows in _merged_by_table(map(rows_of, page)):
                synced = _SYNCED if table in {"ml_repos", "models", "model_versions"} else ()
                load(table, COLUMNS[table] + synced, rows)


def _merged_by_table(records: Iterable[Rows]) -> Iterator[tuple[str, list[Row]]]:
    merged: Rows = {}
    for tables in records:
        for table, rows in tables.items():
            merged.setdefault(table, []).extend(rows)
    return iter(merged.items())


def into_sqlite(file: str, pages: Pages) -> None:
    """Load a SQLite file."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA synchronous = NORMAL")

    def load(table: str, columns: tuple[str, ...], rows: list[Row]) -> None:
        marks = ", ".join("?" * len(columns))
        names = ", ".join(f'"{column}"' for column in columns)
        connection.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)  # noqa: S608 names from our schema

    with connection:
        load_lists(pages, load)
    connection.close()


def into_postgresql(url: str, pages: Pages) -> None:
    """Load a PostgreSQL database."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:

        def load(table: str, columns: tuple[str, ...], rows: list[Row]) -> None:
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)

        # Times without a time zone are UTC.
        cursor.execute("SET TIME ZONE 'UTC'")
        load_lists(pages, load)


def main() -> None:
    """Load all lists."""
    parser = options(__doc__)
    parser.add_argument("url")
    args = parser.parse_args()
    pages = Pages(args.page_size, args.concurrency)
    if args.url.startswith("sqlite:///"):
        into_sqlite(args.url.removeprefix("sqlite:///"), pages)
    else:
        into_postgresql(args.url, pages)


if __name__ == "__main__":
    main()
