"""The database as Datasette uses it: read-only, with references between tables, and with pages of query results."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from datasette.app import Datasette
from datasette.database import Database, QueryInterrupted, Results
from datasette.utils import sqlite3, sqlite_timelimit
from datasette.utils.asgi import BadRequest

from etl.explore import parameters
from etl.explore.columns import TABLES, id_columns
from etl.explore.questions import BY_SQL, Parameter
from etl.store import queries

T = TypeVar("T")

NAME = "registry"
"""Name of the database in URLs, whatever its file is called."""

PAGE_ROWS = 200
"""Rows on a page of a query's result. Datasette asks for fewer rows at once of a table or view."""
MAX_PAGE_ROWS = 100_000
"""Rows with `_size=max`, for CSV and JSON."""


class RegistryDatabase(Database):
    """The database, opened by the store."""

    def __init__(self, datasette: Datasette, path: Path) -> None:
        super().__init__(datasette, path=str(path))
        self._read = queries.explore.page_reader(self.connect)

    def connect(self, write: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002 Datasette's signature; the database is read-only
        """Open a connection that cannot write, and that `interrupt` and `close` reach."""
        connection = queries.explore.connect(Path(self.path))
        self._all_file_connections.append(connection)
        return connection

    def interrupt(self) -> None:
        """Interrupt all running queries."""
        for connection in self._all_file_connections:
            connection.interrupt()

    async def read(self, query: Callable[[Any], T]) -> T:
        """Call a query of the store, in a thread of Datasette."""
        result: T = await self.execute_fn(lambda _connection: self._read(query))
        return result

    async def execute(  # noqa: PLR0913, PLR0917 Datasette's signature
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        truncate: bool = False,  # noqa: FBT001, FBT002 Datasette's signature
        custom_time_limit: int | None = None,
        page_size: int | str | None = None,
        log_sql_errors: bool = True,  # noqa: FBT001, FBT002 Datasette's signature
    ) -> Results:
        """Run a statement. Of the result of a user's query, return the page that `_next` and `_size` name.

        Datasette truncates only the results of such queries, and the pages of tables, which have their own limit.
        """
        if isinstance(params, dict) and "p0" in params:
            try:
                params = parameters.convert_filter_values(sql, params)
            except ValueError as error:
                raise BadRequest(str(error)) from error
        if not truncate or page_size not in {None, "max"}:
            return await super().execute(sql, params, truncate, custom_time_limit, page_size, log_sql_errors)
        given = params if isinstance(params, dict) else {}
        first, rows = _number(given, "_next", 0), _number(given, "_size", page_size or PAGE_ROWS)
        question = BY_SQL.get(sql)
        _convert(given, question.parameters if question else ())
        limit_ms = min(custom_time_limit or self.ds.sql_time_limit_ms, self.ds.sql_time_limit_ms)

        def fetch(connection: Any) -> Results:
            with sqlite_timelimit(connection, limit_ms):
                try:
                    for each in question.parameters if question else ():
                        if each.find and given.get(each.name):
                            given[each.name] = _found(connection, each, given[each.name])
                    cursor = connection.execute(sql, given)
                    found = list(islice(cursor, first, first + rows + 1))
                except sqlite3.OperationalError as error:
                    if error.args == ("interrupted",):
                        raise QueryInterrupted(error, sql, given) from error
                    raise
            return Results(found[:rows], len(found) > rows, cursor.description)

        return await self.execute_fn(fetch)

    async def foreign_keys_for_table(self, table: str) -> list[dict[str, str]]:
        """Return the references of a table or view."""
        return [_key(column, other, "id") for column, other in id_columns(table).items()]

    async def get_all_foreign_keys(self) -> dict[str, dict[str, list[dict[str, str]]]]:
        """Return incoming and outgoing references of all tables."""
        found: dict[str, dict[str, list[dict[str, str]]]] = {
            table: {"incoming": [], "outgoing": []} for table in await self.table_names()
        }
        for table in TABLES:
            for column, other in id_columns(table).items():
                found[table]["outgoing"].append(_key(column, other, "id"))
                found[other]["incoming"].append(_key("id", table, column))
        return found


def _number(given: Mapping[str, Any], name: str, default: int | str) -> int:
    text = str(given.get(name) or default)
    if text == "max":
        return MAX_PAGE_ROWS
    if not text.isascii() or not text.isdecimal():
        raise BadRequest(f"{name} must be a whole number, not negative.")
    return min(int(text), MAX_PAGE_ROWS) if name == "_size" else int(text)


def _convert(given: dict[str, Any], fields: Sequence[Parameter]) -> None:
    """Turn parameters into what the database can compare. An error that the page of the query shows, if one cannot."""
    functions = {**parameters.BY_NAME, **{each.name: each.read for each in fields if each.read}}
    for name in functions.keys() & given:
        try:
            given[name] = functions[name](given[name])
        except ValueError as error:
            raise sqlite3.DatabaseError(str(error)) from error


def _found(connection: Any, field: Parameter, text: str) -> str:
    """Return the value of a name for the query. An error that the page of the query shows, if there is none."""
    try:
        return find_value(connection, field, text)
    except ValueError as error:
        raise sqlite3.DatabaseError(str(error)) from error


def find_value(connection: Any, field: Parameter, text: str) -> str:
    """Return the value of the record with this name: its id, or the name if several have it. ValueError if none has."""
    wanted = text.strip()
    if not wanted:
        return wanted
    found = connection.execute(field.find, {"text": wanted}).fetchall()
    chosen = [row for row in found if row[2]] or found
    values, names = ({row[place] for row in chosen} for place in (0, 1))
    noun = field.name.replace("ml_repo", "ML repo")
    if not found:
        raise ValueError(f"No {noun} is called {wanted!r}.")
    if len(values) > 1 and len(names) > 1:
        raise ValueError(f"Several have this name: {', '.join(sorted(names))}. Write one of them.")
    return str(values.pop() if len(values) == 1 else names.pop())


def _key(column: str, other_table: str, other_column: str) -> dict[str, str]:
    return {"column": column, "other_table": other_table, "other_column": other_column}
