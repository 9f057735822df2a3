"""Move the schema from one revision to another, through Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection, scripts: Path, revision: str) -> None:
    """Upgrade to a revision, within the connection's transaction."""
    command.upgrade(_config(connection, scripts), revision)


def downgrade(connection: Connection, scripts: Path, revision: str) -> None:
    """Downgrade to a revision, within the connection's transaction."""
    command.downgrade(_config(connection, scripts), revision)


def _config(connection: Connection, scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["connection"] = connection
    return config
