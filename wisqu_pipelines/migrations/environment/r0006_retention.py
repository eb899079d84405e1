"""Sweeps, what they have marked, and legal holds."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "environment_0006"
down_revision: str | None = "environment_0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _at(name: str, *, needed: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not needed)


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "retention_sweeps",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("scope", JSONB, nullable=False),
        sa.Column("requested_by", sa.Uuid),
        sa.Column("reason", sa.Text),
        sa.Column("is_forced", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("totals", JSONB, nullable=False),
        _at("created_at", needed=True),
        sa.Column("approved_by", sa.Uuid),
        _at("approved_at"),
        sa.Column("signature", sa.Text),
        _at("hidden_at"),
        _at("purge_after"),
        _at("finished_at"),
        sa.CheckConstraint("state IN ('waiting', 'hiding', 'hidden', 'purged', 'rejected')", name="state"),
        sa.PrimaryKeyConstraint("id", name="pk_retention_sweeps"),
    )
    op.create_index("ix_retention_sweeps_state_created_at", "retention_sweeps", ["state", "created_at"])
    op.create_table(
        "retention_items",
        sa.Column("sweep_id", sa.Uuid, nullable=False),
        sa.Column("item_type", sa.String(100), nullable=False),
        sa.Column("item_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("label", sa.String(500), nullable=False),
        _at("created_at", needed=True),
        sa.Column("is_test_data", sa.Boolean, nullable=False),
        sa.Column("bytes", sa.BigInteger, server_default=sa.text("0"), nullable=False),
        sa.Column("points", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("bucket", sa.String(63)),
        sa.Column("object_name", sa.String(1024)),
        sa.Column("collection", sa.String(100)),
        sa.Column("vector_version", sa.Uuid),
        sa.Column("detail", sa.Text),
        sa.CheckConstraint(
            "state IN ('marked', 'hidden', 'removing', 'purged', 'restored', 'kept')",
            name="state",
        ),
        sa.ForeignKeyConstraint(
            ["sweep_id"], ["retention_sweeps.id"], name="fk_retention_items_sweep_id_retention_sweeps"
        ),
        sa.PrimaryKeyConstraint("sweep_id", "item_type", "item_id", name="pk_retention_items"),
    )
    op.create_index(
        "ix_retention_items_sweep_id_state_item_type_item_id",
        "retention_items",
        ["sweep_id", "state", "item_type", "item_id"],
    )
    op.create_index("ix_retention_items_item_type_item_id", "retention_items", ["item_type", "item_id"])
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("item_type", sa.String(100)),
        sa.Column("item_id", sa.Uuid),
        sa.Column("user_id", sa.Uuid),
        sa.Column("words", sa.String(200)),
        _at("created_from"),
        _at("created_until"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("placed_by", sa.Uuid, nullable=False),
        _at("placed_at", needed=True),
        _at("until"),
        sa.Column("released_by", sa.Uuid),
        _at("released_at"),
        sa.Column("release_reason", sa.Text),
        sa.CheckConstraint(
            "num_nonnulls(item_id, user_id, words, created_from, created_until) > 0", name="of_something"
        ),
        sa.CheckConstraint("item_id IS NULL OR item_type IS NOT NULL", name="item"),
        sa.PrimaryKeyConstraint("id", name="pk_legal_holds"),
    )
    op.create_index("ix_legal_holds_released_at", "legal_holds", ["released_at"])


def downgrade() -> None:
    """Drop them. What is hidden stays hidden, as deleted rows, and nothing purges it any more."""
    op.drop_table("legal_holds")
    op.drop_table("retention_items")
    op.drop_table("retention_sweeps")
