"""How far scans for test data have read, what waits for a person, and what people said."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "environment_0004"
down_revision: str | None = "environment_0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("users", "stored_files", "rag_documents", "conversations", "messages", "user_storage_quotas")


def upgrade() -> None:
    """Say of each row whether a person decided; pages by time of creation find their next row in the index.

    A row that is marked when this runs was marked by a person: nothing else could mark one until now.
    """
    for table in TABLES:
        op.add_column(table, sa.Column("test_data_by_person", sa.Boolean, server_default=sa.false(), nullable=False))
        rows = sa.table(table, sa.column("is_test_data"), sa.column("test_data_by_person"))
        op.execute(sa.update(rows).where(rows.c.is_test_data).values(test_data_by_person=True))
        op.drop_index(f"ix_{table}_created_at", table)
        op.create_index(f"ix_{table}_created_at_id", table, ["created_at", "id"])
    op.create_table(
        "test_data_scans",
        sa.Column("item_type", sa.String(100), nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("detector_version", sa.String(100), nullable=False),
        sa.Column("database_oid", sa.BigInteger, nullable=False),
        sa.Column("horizon", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger),
        sa.Column("last_created_at", sa.DateTime(timezone=True)),
        sa.Column("last_id", sa.Uuid),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("item_type", "month", name="pk_test_data_scans"),
    )
    op.create_table(
        "test_data_reviews",
        sa.Column("item_type", sa.String(100), nullable=False),
        sa.Column("item_id", sa.Uuid, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("evidence", JSONB, nullable=False),
        sa.Column("detector_version", sa.String(100), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("item_type", "item_id", name="pk_test_data_reviews"),
    )
    op.create_index("ix_test_data_reviews_found_at", "test_data_reviews", ["found_at"])
    op.create_table(
        "test_data_marks",
        sa.Column("item_type", sa.String(100), nullable=False),
        sa.Column("item_id", sa.Uuid, nullable=False),
        sa.Column("is_test_data", sa.Boolean, nullable=False),
        sa.Column("texts", JSONB, nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("marked_by", sa.Uuid),
        sa.PrimaryKeyConstraint("item_type", "item_id", name="pk_test_data_marks"),
    )


def downgrade() -> None:
    """Drop them. What scans marked stays marked, and nobody knows any more that no person did."""
    op.drop_table("test_data_marks")
    op.drop_table("test_data_reviews")
    op.drop_table("test_data_scans")
    for table in reversed(TABLES):
        op.drop_index(f"ix_{table}_created_at_id", table)
        op.create_index(f"ix_{table}_created_at", table, ["created_at"])
        op.drop_column(table, "test_data_by_person")
