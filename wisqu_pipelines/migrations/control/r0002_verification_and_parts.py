"""Verification after publishing, rollbacks in parts, the differences of an update, and two more moves."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from wisqu_pipelines.migrations.control.r0001_control_database import MOVES as MOVES_BEFORE
from wisqu_pipelines.migrations.control.r0001_control_database import refuse_illegal_move

revision: str = "control_0002"
down_revision: str | None = "control_0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MOVES = (*MOVES_BEFORE, ("approved", "planned"), ("published", "rolling_back"))
"""A revoked approval may leave too few of them; what does not pass the verification may be taken back."""


def upgrade() -> None:
    """Add the columns, and let the database know the moves."""
    op.add_column("promotions", sa.Column("verification", JSONB))
    op.add_column("promotions", sa.Column("rollback_id", sa.Uuid))
    op.add_column("promotions", sa.Column("rollback_item_ids", JSONB))
    op.add_column("promotions", sa.Column("rolled_back_count", sa.Integer, server_default=sa.text("0"), nullable=False))
    op.add_column("promotion_items", sa.Column("diff", JSONB))
    op.add_column("promotion_items", sa.Column("belongs_to", JSONB))
    op.execute(refuse_illegal_move(MOVES))


def downgrade() -> None:
    """Take them away again."""
    op.execute(refuse_illegal_move(MOVES_BEFORE))
    op.drop_column("promotion_items", "belongs_to")
    op.drop_column("promotion_items", "diff")
    for column in ("rolled_back_count", "rollback_item_ids", "rollback_id", "verification"):
        op.drop_column("promotions", column)
