"""An environment's tables, its audit tables, and what keeps the past as it was.

Also serves a database that has `users`, `stored_files`, `user_storage_quotas` or another of the tables already: their
rows become rows of prod, as they are what people used before there were environments.
"""

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from wisqu_pipelines.migrations.adoption import create_or_adopt, drop_or_restore
from wisqu_pipelines.migrations.guards import drop_guards, guard_audit

revision: str = "environment_0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ROW_TABLES = ("users", "stored_files", "rag_documents", "conversations", "messages", "user_storage_quotas")
AUDIT_TABLES = ("environment_promotions", "environment_access_logs", "developer_actions")
STATES = "'draft', 'approved', 'promoting', 'promoted', 'deprecated'"

FILLS = MappingProxyType(
    {
        **{f"{table}.environment": "'prod'" for table in ROW_TABLES},
        "users.role": "'user'",
        "stored_files.content_type": "'application/octet-stream'",
        "user_storage_quotas.max_files": "2147483647",
    }
)
"""What rows from before get where they have nothing. The checksum of an old file is not among them: it is NULL until
somebody reads the bytes. An old quota did not limit the number of files."""


def upgrade() -> None:
    """Create what is missing, and make what is there serve."""
    create_or_adopt(op.get_bind(), _tables(), FILLS)
    guard_audit(AUDIT_TABLES)


def downgrade() -> None:
    """Drop what was created, and with it the audit. Tables from before stay, in their old shape, with their rows."""
    drop_or_restore(op.get_bind(), list(reversed(_tables())))
    drop_guards()


def _tables() -> list[sa.Table]:
    """The tables, each after those that it refers to."""
    metadata = sa.MetaData()
    _row_table(
        metadata,
        "users",
        sa.Column("email", sa.String(255), nullable=False),
        sa.Column("full_name", sa.String(255)),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("account_type", sa.String(50), server_default="free", nullable=False),
        sa.Column("is_test_account", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("created_by_developer", sa.Uuid),
        sa.Column("test_expires_at", sa.DateTime(timezone=True)),
        sa.Column("last_login", sa.DateTime(timezone=True)),
        sa.Column("login_count", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    _row_table(
        metadata,
        "stored_files",
        sa.Column("owner_id", sa.Uuid),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("bucket", sa.String(63), nullable=False),
        sa.Column("object_name", sa.String(1024), nullable=False),
        sa.Column("content_type", sa.String(255), nullable=False),
        sa.Column("file_size_bytes", sa.BigInteger, nullable=False),
        sa.Column("checksum_sha256", sa.String(64)),
        sa.Column("purpose", sa.String(50), server_default="rag_corpus", nullable=False),
        sa.CheckConstraint("file_size_bytes >= 0", name="ck_stored_files_file_size"),
        sa.CheckConstraint("checksum_sha256 ~ '^[0-9a-f]{64}$'", name="ck_stored_files_checksum"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_stored_files_owner_id_users"),
        sa.Index("ix_stored_files_owner_id", "owner_id"),
        sa.Index("ix_stored_files_filename", "filename"),
        sa.Index("ix_stored_files_checksum_sha256", "checksum_sha256"),
    )
    _row_table(
        metadata,
        "rag_documents",
        sa.Column("file_id", sa.Uuid, nullable=False),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("language", sa.String(35)),
        sa.Column("collection", sa.String(100), nullable=False),
        sa.Column("vector_version", sa.Uuid, nullable=False),
        sa.Column("point_count", sa.Integer, nullable=False),
        sa.Column("embedding", sa.String(100), nullable=False),
        sa.CheckConstraint("point_count >= 0", name="ck_rag_documents_point_count"),
        sa.ForeignKeyConstraint(["file_id"], ["stored_files.id"], name="fk_rag_documents_file_id_stored_files"),
        sa.Index("ix_rag_documents_file_id", "file_id"),
    )
    _row_table(
        metadata,
        "conversations",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("title", sa.String(500)),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_conversations_user_id_users"),
        sa.Index("ix_conversations_user_id", "user_id"),
    )
    _row_table(
        metadata,
        "messages",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("sources", JSONB),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_messages_conversation_id_conversations"
        ),
        sa.Index("ix_messages_conversation_id", "conversation_id"),
    )
    _row_table(
        metadata,
        "user_storage_quotas",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("max_bytes", sa.BigInteger, nullable=False),
        sa.Column("max_files", sa.Integer, nullable=False),
        sa.Column("used_bytes", sa.BigInteger, server_default=sa.text("0"), nullable=False),
        sa.Column("used_files", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("max_bytes >= 0", name="ck_user_storage_quotas_max_bytes"),
        sa.CheckConstraint("max_files >= 0", name="ck_user_storage_quotas_max_files"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_storage_quotas_user_id_users"),
        sa.UniqueConstraint("user_id", name="uq_user_storage_quotas_user_id"),
    )
    _audit_table(
        metadata,
        "environment_promotions",
        sa.Column("promotion_id", sa.Uuid, nullable=False),
        sa.Column("promotion_type", sa.String(100), nullable=False),
        sa.Column("source_environment", sa.String(50), nullable=False),
        sa.Column("target_environment", sa.String(50), nullable=False),
        sa.Column("items_promoted", JSONB, nullable=False),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("success_count", sa.Integer, nullable=False),
        sa.Column("error_count", sa.Integer, nullable=False),
        sa.Column("promoted_by_user_id", sa.Uuid),
        sa.Column("reason", sa.Text),
        sa.Column("plan_digest", sa.String(64), nullable=False),
        sa.Column("approvals", JSONB, nullable=False),
        sa.Column("rollback_data", JSONB),
        sa.Column("errors", JSONB),
        sa.Column("duration_seconds", sa.Float),
        sa.Index(
            "ix_environment_promotions_promotion_id_status",
            "promotion_id",
            "status",
            unique=True,
            postgresql_where=sa.text("status <> 'failed'"),
        ),
        sa.Index("ix_environment_promotions_occurred_at", "occurred_at"),
    )
    _audit_table(
        metadata,
        "environment_access_logs",
        sa.Column("user_id", sa.Uuid),
        sa.Column("environment", sa.String(50), nullable=False),
        sa.Column("access_type", sa.String(50), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("ip_address", sa.String(50)),
        sa.Column("user_agent", sa.String(500)),
        sa.Column("metadata", JSONB),
    )
    _audit_table(
        metadata,
        "developer_actions",
        sa.Column("developer_id", sa.Uuid),
        sa.Column("environment", sa.String(50), nullable=False),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("details", JSONB),
        sa.Column("success", sa.Boolean, nullable=False),
        sa.Column("ip_address", sa.String(50)),
        sa.Column("user_agent", sa.String(500)),
    )
    sa.Table(
        "audit_chain_heads",
        metadata,
        sa.Column("chain", sa.String(63), nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("last_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_audit_chain_heads"),
    )
    sa.Table(
        "store_marker",
        metadata,
        sa.Column("singleton", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("environment", sa.String(50), nullable=False),
        sa.Column("marker", sa.Uuid, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("singleton", name="ck_store_marker_one_row"),
        sa.PrimaryKeyConstraint("singleton", name="pk_store_marker"),
    )
    return metadata.sorted_tables


def _row_table(metadata: sa.MetaData, name: str, *own: Any) -> None:
    """A table with the columns that every row of an environment has."""
    sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Uuid, nullable=False),
        *_shared_columns(),
        *own,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.CheckConstraint(f"promotion_status IN ({STATES})", name=f"ck_{name}_promotion_status"),
        sa.Index(f"ix_{name}_created_at", "created_at"),
        sa.Index(f"ix_{name}_promotion_status_id", "promotion_status", "id"),
        sa.Index(
            f"ix_{name}_source_environment_source_id",
            "source_environment",
            "source_id",
            unique=True,
            postgresql_where=sa.text("source_id IS NOT NULL"),
        ),
    )


def _shared_columns() -> Iterator[sa.Column[Any]]:
    yield sa.Column("environment", sa.String(50), nullable=False)
    yield sa.Column("is_test_data", sa.Boolean, server_default=sa.false(), nullable=False)
    yield sa.Column("test_data_reason", sa.String(500))
    yield sa.Column("is_promotable", sa.Boolean, server_default=sa.false(), nullable=False)
    yield sa.Column("promotion_status", sa.String(50), server_default="draft", nullable=False)
    yield sa.Column("source_id", sa.Uuid)
    yield sa.Column("source_environment", sa.String(50))
    yield sa.Column("promoted_at", sa.DateTime(timezone=True))
    yield sa.Column("promoted_by_user_id", sa.Uuid)
    yield sa.Column("promoted_hashes", JSONB)
    yield sa.Column("held_by_promotion_id", sa.Uuid)
    yield sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
    yield sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
    yield sa.Column("deleted_at", sa.DateTime(timezone=True))
    yield sa.Column("is_deleted", sa.Boolean, server_default=sa.false(), nullable=False)


def _audit_table(metadata: sa.MetaData, name: str, *own: Any) -> None:
    """A table with the columns that make its rows a chain."""
    sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("row_hash", sa.String(64), nullable=False),
        *own,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("sequence", name=f"uq_{name}_sequence"),
    )
