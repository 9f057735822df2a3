"""The way from one revision of the schema to another, by Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection, scripts: Path, revision: str) -> None:
    """Up to a revision, within the connection's transaction."""
    command.upgrade(_config(connection, scripts), revision)


def downgrade(connection: Connection, scripts: Path, revision: str) -> None:
    """Down to a revision, within the connection's transaction."""
    command.downgrade(_config(connection, scripts), revision)


def _config(connection: Connection, scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["connection"] = connection
    return config
