"""An engine as a reader opens it, without settings of this project, and its statements."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    """An engine as a reader opens it, without settings of this project."""
    engine = create_engine(migrated_url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@pytest.fixture
def statements(engine: Engine) -> list[str]:
    """Record all statements that the engine runs from now on."""
    seen: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    return seen
