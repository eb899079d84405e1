"""Logins, refresh tokens, access for a time, what voids tokens, and what admins are told."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "control_0005"
down_revision: str | None = "control_0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _at(name: str, *, needed: bool = True) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not needed)


def _person(table: str, column: str, *, needed: bool = True) -> tuple[sa.Column[UUID], sa.ForeignKeyConstraint]:
    key = sa.ForeignKeyConstraint([column], ["central_users.id"], name=f"fk_{table}_{column}_central_users")
    return sa.Column(column, sa.Uuid, nullable=not needed), key


def upgrade() -> None:
    """Make the tables, and sign approvals."""
    op.add_column("promotion_approvals", sa.Column("signature", sa.Text))
    op.create_table(
        "access_grants",
        sa.Column("id", sa.Uuid, nullable=False),
        *_person("access_grants", "user_id"),
        sa.Column("environment", sa.String(50), nullable=False),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("hours", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        _at("requested_at"),
        _at("decided_at", needed=False),
        *_person("access_grants", "decided_by", needed=False),
        _at("expires_at", needed=False),
        _at("ended_at", needed=False),
        *_person("access_grants", "ended_by", needed=False),
        sa.CheckConstraint("state IN ('requested', 'granted', 'refused', 'ended')", name="state"),
        sa.CheckConstraint("decided_by IS NULL OR decided_by <> user_id", name="not_own"),
        sa.CheckConstraint("state <> 'granted' OR (decided_by IS NOT NULL AND expires_at IS NOT NULL)", name="granted"),
        sa.PrimaryKeyConstraint("id", name="pk_access_grants"),
    )
    op.create_index("ix_access_grants_user_id_environment", "access_grants", ["user_id", "environment"])
    op.create_table(
        "external_identities",
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        *_person("external_identities", "user_id"),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_external_identities"),
    )
    op.create_index("ix_external_identities_user_id", "external_identities", ["user_id"])
    op.create_table(
        "login_sessions",
        sa.Column("id", sa.Uuid, nullable=False),
        *_person("login_sessions", "user_id"),
        sa.Column("method", sa.String(50), nullable=False),
        _at("started_at"),
        _at("expires_at"),
        _at("ended_at", needed=False),
        sa.Column("ended_because", sa.String(100)),
        sa.Column("ip_address", sa.String(50)),
        sa.Column("user_agent", sa.String(500)),
        sa.PrimaryKeyConstraint("id", name="pk_login_sessions"),
    )
    op.create_index("ix_login_sessions_user_id", "login_sessions", ["user_id"])
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("session_id", sa.Uuid, nullable=False),
        _at("issued_at"),
        _at("expires_at"),
        _at("used_at", needed=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["login_sessions.id"], name="fk_refresh_tokens_session_id_login_sessions"
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_refresh_tokens"),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"])
    op.create_table(
        "token_cutoffs",
        *_person("token_cutoffs", "user_id"),
        sa.Column("environment", sa.String(50), nullable=False),
        _at("not_before"),
        sa.PrimaryKeyConstraint("user_id", "environment", name="pk_token_cutoffs"),
    )
    op.create_index("ix_token_cutoffs_not_before", "token_cutoffs", ["not_before"])
    op.create_table(
        "idempotency_keys",
        *_person("idempotency_keys", "user_id"),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("answer", sa.Text),
        _at("created_at"),
        sa.PrimaryKeyConstraint("user_id", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("environment", sa.String(50), nullable=False),
        *_person("notices", "about_user_id"),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("details", JSONB, nullable=False),
        _at("occurred_at"),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index("ix_notices_environment_occurred_at", "notices", ["environment", "occurred_at"])


def downgrade() -> None:
    """Drop them; nobody is logged in any more."""
    for table in (
        "notices",
        "idempotency_keys",
        "token_cutoffs",
        "refresh_tokens",
        "login_sessions",
        "external_identities",
        "access_grants",
    ):
        op.drop_table(table)
    op.drop_column("promotion_approvals", "signature")
