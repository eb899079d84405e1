"""What people took back from sweeps is looked up by each sweep: an index of these few among many items."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "environment_0008"
down_revision: str | None = "environment_0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "ix_retention_items_restored",
        "retention_items",
        ["item_type", "item_id"],
        postgresql_where=sa.text("state = 'restored'"),
    )


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_retention_items_restored", table_name="retention_items")
