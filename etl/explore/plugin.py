"""Datasette's hooks: cells as people write them, and what the templates show beyond Datasette's own pages."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from datasette import hookimpl
from datasette.utils import path_with_added_args, path_with_replaced_args, tilde_decode
from datasette.utils.asgi import NotFound, Response

from etl.changes import NamedChange, name, sentence
from etl.enums import Entity
from etl.explore import cells, columns, comparisons, description, formatting, parameters, ranges
from etl.explore.database import NAME
from etl.explore.questions import AT, BY_NAME, GROUPS
from etl.models import types
from etl.store import queries

_CHANGES_AT_START = 8
_WEEK = timedelta(days=7)
_PAGES: dict[str | None, Callable[..., Any]] = {
    "models": queries.record_pages.model_page,
    "model_versions": queries.record_pages.version_page,
}


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Any]]]:
    """Add the pages that compare, and lead Datasette's list of databases to the only database."""
    return [(r"^/$", lambda: Response.redirect(f"/{NAME}")), *comparisons.ROUTES]


@hookimpl
def prepare_jinja2_environment(env: Any) -> None:
    """Add the formats of the templates."""
    env.finalize = formatting.encodable
    env.filters |= {
        "moment": formatting.moment,
        "flag": formatting.flag,
        "size": formatting.size,
        "real": formatting.real,
        "share": formatting.share,
        "duration": formatting.duration,
        "sparkline": formatting.sparkline,
        "pretty_json": formatting.pretty_json,
    }
    env.globals |= {
        "home_url": f"/{NAME}",
        "record_url": cells.record_url,
        "record_label": cells.record_label,
        "cell_text": cells.text,
        "hidden_columns": columns.hidden_columns,
        "column_descriptions": description.columns,
        "change_parts": change_parts,
        "labels_of": lambda production: {
            (row["model_version_id"], each) for row, names in production for each in names
        },
    }


@hookimpl
def prepare_connection(conn: Any) -> None:
    """Add the functions of the questions."""
    conn.create_function("version_matches", 2, ranges.version_matches, deterministic=True)
    conn.create_function("range_overlap", 2, ranges.range_overlap, deterministic=True)


@hookimpl
def render_cell(row: Any, value: Any, column: str, table: str | None, datasette: Any) -> Any:
    """Return the value as people write it; None for Datasette's own way."""
    return cells.render(row, value, column, table, datasette)


@hookimpl
def extra_template_vars(
    table: str | None, view_name: str, request: Any, datasette: Any
) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return what the page shows in addition."""

    async def load() -> dict[str, Any]:
        if request is None:
            return {}
        database = datasette.databases[NAME]
        shared = {
            "with_args": lambda **arguments: datasette.urls.path(path_with_replaced_args(request, arguments)),
            "with_added": lambda **arguments: datasette.urls.path(path_with_added_args(request, arguments)),
            "is_exact": bool(request.args.get("_exact")),
            "has_changes": table in {*Entity},
        }
        if view_name == "row" and table in _PAGES:
            return shared | await _record(database, table, request)
        if view_name == "database" and not request.args.get("sql"):
            return shared | await _start(database)
        if view_name == "table":
            return shared | await _question(database, request)
        return shared

    return load


async def _record(database: Any, table: str | None, request: Any) -> dict[str, Any]:
    """Return the page of a model or a version."""
    record_id = types.unescape(tilde_decode(request.url_vars["pks"]))
    page = await database.read(lambda connection: _PAGES[table](connection, record_id))
    if page is None:
        raise NotFound("Record not found")
    return {"page": page, "known_at": _known_at(page.version)} if table == "model_versions" else {"page": page}


def _known_at(version: Any) -> tuple[str, str]:
    """Return a moment in the past at which a version is known, and the words for it: a week ago if it was there."""
    week_ago = datetime.now(UTC) - _WEEK
    if version["first_seen_at"] <= week_ago and (version["deleted_at"] is None or version["deleted_at"] > week_ago):
        return "7d", "a week ago"
    return version["first_seen_at"].isoformat(), "when it was first copied"


async def _start(database: Any) -> dict[str, Any]:
    overview = await database.read(partial(queries.record_pages.overview, changes_shown=_CHANGES_AT_START))
    return {
        "overview": overview,
        "groups": {
            title: (*(comparisons.COMPARISONS if title == "History" else ()), *each) for title, each in GROUPS.items()
        },
        "relations": description.relation_groups(),
    }


async def _question(database: Any, request: Any) -> dict[str, Any]:
    """Return the parameters of a prepared query, each with the values to offer; nothing for a table."""
    question = BY_NAME.get(request.url_vars["table"])
    if question is None:
        return {}
    offered = [await database.execute(each.choices) if each.choices else () for each in question.parameters]
    choices = [[row[0] for row in rows] for rows in offered]
    return {
        "note": question.note,
        "parameters": list(zip(question.parameters, choices, strict=True)),
        "missing": next(
            (each.required for each in question.parameters if each.required and not request.args.get(each.name)), None
        ),
        "history": await _unknown_history(database, request.args.get("at") or "") if AT in question.parameters else {},
    }


async def _unknown_history(database: Any, at: str) -> dict[str, datetime | None]:
    """Return since when history is known if a moment is before that; nothing if it is known, or cannot be read."""
    with suppress(ValueError):
        moment = parameters.moment("at", at)
        known_from: datetime | None = await database.read(queries.diff.history_start) if at.strip() else moment
        if known_from is None or moment < known_from:
            return {"known_from": known_from}
    return {}


def change_parts(change: NamedChange) -> tuple[str, str]:
    """Return the name of a changed record, and what happened to it."""
    named = name(change, formatting.printable)
    return named, sentence(change, formatting.printable).removeprefix(f"{named}: ")
