"""Developers' test accounts: a password of their own, and five places for each developer."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "environment_0005"
down_revision: str | None = "environment_0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the columns; the index is what holds the limit, whoever inserts."""
    op.add_column("users", sa.Column("password_hash", sa.String(255)))
    op.add_column("users", sa.Column("test_place", sa.SmallInteger))
    op.create_check_constraint("test_place", "users", "test_place BETWEEN 1 AND 5")
    op.create_index(
        "ix_users_created_by_developer_test_place",
        "users",
        ["created_by_developer", "test_place"],
        unique=True,
        postgresql_where=sa.text("test_place IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop them; no test account can log in any more."""
    op.drop_index("ix_users_created_by_developer_test_place", "users")
    op.drop_constraint(op.f("ck_users_test_place"), "users")
    op.drop_column("users", "test_place")
    op.drop_column("users", "password_hash")
