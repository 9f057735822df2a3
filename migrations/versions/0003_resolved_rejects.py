"""Which rejected records are open still.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the moment at which a rejected record was resolved; none is yet."""
    op.add_column(
        "rejected_records",
        sa.Column(
            "resolved_at",
            sa.DateTime(timezone=True),
            comment="When a later run could store the record, or found it gone; NULL while open.",
        ),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_column("rejected_records", "resolved_at")
