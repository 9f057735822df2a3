"""Runs migrations on the connection from tfy-etl, or on the database of TFY_ETL_DATABASE_URL."""

from alembic import context
from sqlalchemy import Connection

from etl.environment import database_url_of_environment
from etl.models import VERSION_TABLE, Base
from etl.store import open_engine


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        # A shared database may hold tables of other applications.
        include_name=lambda name, kind, _parents: kind != "table" or name in Base.metadata.tables,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with open_engine(database_url_of_environment()).begin() as connection:
        _run(connection)
