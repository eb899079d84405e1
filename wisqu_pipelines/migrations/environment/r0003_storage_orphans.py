"""What the storage audit marks as needed by nobody, and where it keeps what it lists meanwhile."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "environment_0003"
down_revision: str | None = "environment_0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, server_default=sa.text("0"), nullable=False)


def upgrade() -> None:
    """Make the two tables; the listing survives no crash and needs to survive none."""
    op.create_table(
        "storage_orphans",
        sa.Column("store", sa.String(20), nullable=False),
        sa.Column("container", sa.String(255), nullable=False),
        sa.Column("name", sa.String(1024), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        _count("points"),
        sa.Column("modified_at", sa.DateTime(timezone=True)),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("swept_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("store", "container", "name", name="pk_storage_orphans"),
        sa.CheckConstraint("store IN ('objects', 'points')", name=op.f("ck_storage_orphans_store")),
    )
    op.create_table(
        "storage_listings",
        sa.Column("store", sa.String(20), nullable=False),
        sa.Column("name", sa.String(1024), nullable=False),
        sa.Column("document", sa.String(36), server_default="", nullable=False),
        _count("bytes"),
        _count("points"),
        _count("visible"),
        sa.Column("modified_at", sa.DateTime(timezone=True)),
        sa.Column("is_orphan", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("store", "name", "document", name="pk_storage_listings"),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    """Drop them. What was marked is marked anew, and its grace time begins anew."""
    op.drop_table("storage_listings")
    op.drop_table("storage_orphans")
