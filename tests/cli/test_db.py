from pathlib import Path

from etl.store import open_engine, schema
from tests.cli.conftest import Cli


def test_upgrade_creates_and_then_has_nothing_to_do(database_url: str, tfy_etl: Cli) -> None:
    url = ("--database-url", database_url)
    assert tfy_etl("db", "upgrade", *url).out == f"Created at revision {schema.head()}.\n"
    assert tfy_etl("db", "upgrade", *url).out == f"The schema is at revision {schema.head()} already.\n"
    assert tfy_etl("db", "current", *url).out == f"{schema.head()}\n"
    assert tfy_etl("db", "check", *url).out == f"The schema is at revision {schema.head()}, as this release needs it.\n"


def test_upgrade_says_from_where_to_where(migrated_url: str, tfy_etl: Cli) -> None:
    engine = open_engine(migrated_url)
    schema.downgrade(engine, "-1")
    before = schema.current(engine)
    engine.dispose()
    url = ("--database-url", migrated_url)
    done = tfy_etl("db", "check", *url)
    assert (done.code, done.out) == (2, "")
    assert f"is at revision {before}, this release needs {schema.head()}: run tfy-etl db upgrade." in done.err
    assert tfy_etl("db", "upgrade", *url).out == f"Migrated from {before} to {schema.head()}.\n"


def test_a_database_that_is_not_there_has_no_revision_and_is_not_made(folder: Path, tfy_etl: Cli) -> None:
    assert tfy_etl("db", "current").out == "none\n"
    assert tfy_etl("db", "check").code == 2
    assert list(folder.iterdir()) == []
