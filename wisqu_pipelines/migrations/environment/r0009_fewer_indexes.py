"""Rows are written many at a time: each index costs every write, so there are only those that a query reads.

An index of promotion states becomes one of the rows that are approved, which are few; the one of owners leaves out rows
without one; nothing looks for a file by its checksum, and the rule for checksums is one that costs a ninth. Pages keep
some room, so that a row that is hidden or restored stays where it is and no index is written.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "environment_0009"
down_revision: str | None = "environment_0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("users", "stored_files", "rag_documents", "conversations", "messages", "user_storage_quotas")
CHECKSUM, OWNER = "ix_stored_files_checksum_sha256", "ix_stored_files_owner_id"


def upgrade() -> None:
    """Replace the indexes and the rule; what is on full pages already stays as it is."""
    for table in TABLES:
        op.drop_index(f"ix_{table}_promotion_status_id", table)
        approved = sa.text("promotion_status = 'approved'")
        op.create_index(f"ix_{table}_approved", table, ["id"], postgresql_where=approved)
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 90)")
    op.drop_index(CHECKSUM, "stored_files")
    op.drop_index(OWNER, "stored_files")
    op.create_index(OWNER, "stored_files", ["owner_id"], postgresql_where=sa.text("owner_id IS NOT NULL"))
    _rule("length(checksum_sha256) = 64 AND checksum_sha256 !~ '[^0-9a-f]'")


def downgrade() -> None:
    """Put back what was there."""
    _rule("checksum_sha256 ~ '^[0-9a-f]{64}$'")
    op.drop_index(OWNER, "stored_files")
    op.create_index(OWNER, "stored_files", ["owner_id"])
    op.create_index(CHECKSUM, "stored_files", ["checksum_sha256"])
    for table in reversed(TABLES):
        op.execute(f"ALTER TABLE {table} RESET (fillfactor)")
        op.drop_index(f"ix_{table}_approved", table)
        op.create_index(f"ix_{table}_promotion_status_id", table, ["promotion_status", "id"])


def _rule(condition: str) -> None:
    """What a checksum looks like."""
    op.drop_constraint(op.f("ck_stored_files_checksum"), "stored_files")
    op.create_check_constraint("checksum", "stored_files", condition)
