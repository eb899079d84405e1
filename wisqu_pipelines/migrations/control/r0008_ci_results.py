"""What CI said of its tests."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "control_0008"
down_revision: str | None = "control_0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ci_results",
        sa.Column("delivery_id", sa.Uuid, primary_key=True),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("suite", sa.String(100), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("url", sa.Text),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True)),
        sa.Column("promotions", postgresql.JSONB, nullable=False, server_default=sa.text("'[]'")),
        sa.CheckConstraint("outcome IN ('passed', 'failed')", name="outcome"),
    )
    op.create_index("ix_ci_results_commit_suite", "ci_results", ["commit", "suite"])
    op.create_index(
        "ix_ci_results_received_at", "ci_results", ["received_at"], postgresql_where=sa.text("handled_at IS NULL")
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("ci_results")
