"""What a control plane offers, and what follows for the rows.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = (
    ("ml_repos", sa.Column("is_derived", sa.Boolean(), nullable=False, server_default=sa.false())),
    ("model_versions", sa.Column("superseded_at", sa.DateTime(timezone=True))),
    ("sync_runs", sa.Column("coverage", sa.Text())),
    ("sync_scopes", sa.Column("coverage", sa.Text(), nullable=False, server_default="all")),
    ("sync_scopes", sa.Column("lists_ml_repos", sa.Boolean(), nullable=False, server_default=sa.true())),
)


def upgrade() -> None:
    """Add the columns."""
    for table, column in COLUMNS:
        op.add_column(table, column)
    op.create_index(
        op.f("ix_model_versions_superseded_at"),
        "model_versions",
        ["superseded_at"],
        sqlite_where=sa.text("superseded_at IS NOT NULL"),
        postgresql_where=sa.text("superseded_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("ix_model_versions_superseded_at"), "model_versions")
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column.name)
