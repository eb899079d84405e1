"""What a sweep lists changes its state two or three times: with no index that knows of it, and with room on the pages,
an item stays where it is, and no index is written. What people took back is known by when they did.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "environment_0010"
down_revision: str | None = "environment_0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE = "retention_items"
BY_STATE = "ix_retention_items_sweep_id_state_item_type_item_id"
RESTORED, RESTORED_AT = "ix_retention_items_restored", "ix_retention_items_item_type_restored_at"
KEY = ["item_type", "item_id"]


def upgrade() -> None:
    """Give what was restored its time (of which there is no record: the migration's), and replace the indexes."""
    op.add_column(TABLE, sa.Column("restored_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE retention_items SET restored_at = now() WHERE state = 'restored'")
    op.drop_index(RESTORED, TABLE)
    op.drop_index(BY_STATE, TABLE)
    when = ["item_type", "restored_at"]
    op.create_index(RESTORED_AT, TABLE, when, postgresql_where=sa.text("restored_at IS NOT NULL"))
    op.execute(f"ALTER TABLE {TABLE} SET (fillfactor = 80)")


def downgrade() -> None:
    """Put back what was there."""
    op.execute(f"ALTER TABLE {TABLE} RESET (fillfactor)")
    op.drop_index(RESTORED_AT, TABLE)
    op.create_index(BY_STATE, TABLE, ["sweep_id", "state", *KEY])
    op.create_index(RESTORED, TABLE, KEY, postgresql_where=sa.text("state = 'restored'"))
    op.drop_column(TABLE, "restored_at")
