"""Who cancelled a promotion while a run was at it, and why."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "control_0006"
down_revision: str | None = "control_0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("promotions", sa.Column("cancelled_by_user_id", sa.Uuid))
    op.add_column("promotions", sa.Column("cancel_reason", sa.Text))


def downgrade() -> None:
    """Take them away."""
    op.drop_column("promotions", "cancel_reason")
    op.drop_column("promotions", "cancelled_by_user_id")
