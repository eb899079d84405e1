"""What people have taught detection: patterns, exceptions, models, proposals."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "control_0004"
down_revision: str | None = "control_0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "detector_patterns",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("pattern", sa.Text, nullable=False),
        *_given("detector_patterns"),
    )
    op.create_index(
        "ix_detector_patterns_pattern",
        "detector_patterns",
        ["pattern"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "detector_exceptions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("phrase", sa.Text, nullable=False),
        sa.Column("is_pattern", sa.Boolean, server_default=sa.false(), nullable=False),
        *_given("detector_exceptions"),
    )
    op.create_index(
        "ix_detector_exceptions_phrase_is_pattern",
        "detector_exceptions",
        ["phrase", "is_pattern"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "detector_models",
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("organisation", sa.String(100), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("evaluation", JSONB, nullable=False),
        sa.Column("trained_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_used", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("version", "organisation", name="pk_detector_models"),
    )
    op.create_index(
        "ix_detector_models_organisation",
        "detector_models",
        ["organisation"],
        unique=True,
        postgresql_where=sa.text("is_used"),
    )
    op.create_table(
        "detector_proposals",
        sa.Column("pattern", sa.Text, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("examples", JSONB, nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by_user_id", sa.Uuid),
        sa.Column("is_accepted", sa.Boolean),
        sa.PrimaryKeyConstraint("pattern", name="pk_detector_proposals"),
        sa.CheckConstraint(
            "num_nulls(decided_at, decided_by_user_id, is_accepted) IN (0, 3)",
            name=op.f("ck_detector_proposals_decision_is_whole"),
        ),
        _person("detector_proposals", "decided_by_user_id"),
    )


def downgrade() -> None:
    """Drop them, with all that was taught."""
    for table in ("detector_proposals", "detector_models", "detector_exceptions", "detector_patterns"):
        op.drop_table(table)


def _given(table: str) -> Iterator[Any]:
    """Who gave it and why, and who took it away."""
    yield sa.Column("reason", sa.Text, nullable=False)
    yield sa.Column("created_by_user_id", sa.Uuid, nullable=False)
    yield sa.Column("created_at", sa.DateTime(timezone=True), nullable=False)
    yield sa.Column("removed_by_user_id", sa.Uuid)
    yield sa.Column("removed_at", sa.DateTime(timezone=True))
    yield sa.PrimaryKeyConstraint("id", name=f"pk_{table}")
    yield sa.CheckConstraint(
        "(removed_at IS NULL) = (removed_by_user_id IS NULL)", name=op.f(f"ck_{table}_removal_is_whole")
    )
    yield _person(table, "created_by_user_id")
    yield _person(table, "removed_by_user_id")


def _person(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["central_users.id"], name=f"fk_{table}_{column}_central_users")
