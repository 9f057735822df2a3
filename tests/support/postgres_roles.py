"""A PostgreSQL database with the roles of docs/how-to/analysts/postgresql.md, created by the SQL of that page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.support.databases import libpq, migrate, new_database
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "how-to" / "analysts" / "postgresql.md"
BLOCKS = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
BEFORE_TABLES, *AFTER_TABLES = (block for block in BLOCKS if "CREATE ROLE" in block or "GRANT" in block)
QUERIES = [block for block in BLOCKS if block not in {BEFORE_TABLES, *AFTER_TABLES}]

_PASSWORD = "change-me"
_ROLES = ("etl", *re.findall("CREATE ROLE (\\w+)", "".join(AFTER_TABLES)))


@dataclass(frozen=True)
class SharedDatabase:
    """A database in which `etl` may create tables. Roles are global to the server, so each gets a unique name."""

    url: str
    names: dict[str, str]

    def url_of(self, role: str) -> str:
        """Return the URL of the database for a role of the page."""
        login = make_url(self.url).set(username=self.names[role], password=_PASSWORD)
        return login.render_as_string(hide_password=False)

    def connect(self, role: str) -> "psycopg.Connection[tuple[object, ...]]":
        """Connect as a role of the page."""
        return psycopg.connect(libpq(self.url_of(role)), autocommit=True)

    def make_roles(self) -> None:
        """Run the SQL of the page after `etl` has created the tables."""
        for block in AFTER_TABLES:
            self.administer(block)

    def administer(self, block: str) -> None:
        """Run SQL of the page as a superuser."""
        with psycopg.connect(libpq(self.url), autocommit=True) as connection:
            connection.execute(self._renamed(block).encode())

    def _renamed(self, block: str) -> str:
        for name, unique_name in self.names.items():
            block = re.sub(rf"(?<!-)\b{name}\b", unique_name, block)
        return block


@contextmanager
def shared_database(server: str) -> Iterator[SharedDatabase]:
    """Yield a database at the newest revision, without the roles."""
    suffix = uuid4().hex[:8]
    roles = {role: f"{role}_{suffix}" for role in _ROLES}
    create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(roles["etl"]), sql.Literal(_PASSWORD))
    with psycopg.connect(libpq(server), autocommit=True) as connection:
        connection.execute(create)
        try:
            with new_database(server) as url:
                database = str(make_url(url).database)
                shared = SharedDatabase(url, roles | {"registry": database})
                shared.administer(BEFORE_TABLES)
                migrate(shared.url_of("etl"))
                yield shared
        finally:
            for role in roles.values():
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
