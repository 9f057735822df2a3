"""Share compiled SQLAlchemy statements between the engines of this process.

Compilation takes a third of the time of a small run. A command opens one engine, but tests open thousands.
"""

from typing import Any

from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.util import LRUCache

_SIZE = 1_000
_dialects: dict[type[Dialect], Dialect] = {}
_statements: dict[type[Dialect], LRUCache[Any, Any]] = {}


def share_compiled_statements() -> None:
    """Give each engine the dialect and the statement cache of the first: the dialect is part of a cache key."""
    event.listen(Engine, "engine_connect", _share)


def _share(connection: Connection) -> None:
    engine = connection.engine
    kind = type(engine.dialect)
    engine.dialect = connection.dialect = _dialects.setdefault(kind, engine.dialect)
    engine._compiled_cache = _statements.setdefault(kind, LRUCache(_SIZE))
