"""Erasures: who is forgotten where, by whose word, and with which certificate."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "control_0009"
down_revision: str | None = "control_0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_REFUSE = """
CREATE FUNCTION refuse_erasure_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'requested' THEN
            RAISE EXCEPTION 'the erasure % cannot begin as %', NEW.id, NEW.state USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('requested', 'approved'), ('requested', 'rejected'), ('approved', 'rejected'),
        ('approved', 'running'), ('running', 'done')
    ) THEN
        RAISE EXCEPTION 'the erasure % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF (OLD.environment, OLD.user_id, OLD.email_hash, OLD.requested_by, OLD.reason, OLD.requested_at)
        IS DISTINCT FROM
        (NEW.environment, NEW.user_id, NEW.email_hash, NEW.requested_by, NEW.reason, NEW.requested_at)
    OR OLD.state = 'done' AND (OLD.certificate, OLD.digest, OLD.done_at, OLD.approved_by, OLD.signature)
        IS DISTINCT FROM (NEW.certificate, NEW.digest, NEW.done_at, NEW.approved_by, NEW.signature)
    THEN
        RAISE EXCEPTION 'what the erasure % says is never changed', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    """Add the table, with its guard."""
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("environment", sa.String(50), nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("email_hash", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("requested_by", sa.Uuid, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Uuid),
        sa.Column("approved_at", sa.DateTime(timezone=True)),
        sa.Column("signature", sa.Text),
        sa.Column("rejected_by", sa.Uuid),
        sa.Column("begun_at", sa.DateTime(timezone=True)),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("certificate", JSONB),
        sa.Column("digest", sa.String(64)),
        sa.Column("again", JSONB, server_default=sa.text("'[]'"), nullable=False),
        sa.CheckConstraint("state IN ('requested', 'approved', 'running', 'done', 'rejected')", name="state"),
        sa.CheckConstraint("approved_by <> requested_by", name="another_person"),
        sa.CheckConstraint("state <> 'done' OR (digest IS NOT NULL AND done_at IS NOT NULL)", name="done_is_certified"),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
    )
    op.create_index(
        "ix_erasures_environment_user_id",
        "erasures",
        ["environment", "user_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('requested', 'approved', 'running')"),
    )
    op.create_index("ix_erasures_environment_state", "erasures", ["environment", "state"])
    op.execute(_REFUSE)
    op.execute(
        "CREATE TRIGGER legal_erasure BEFORE INSERT OR UPDATE ON erasures "
        "FOR EACH ROW EXECUTE FUNCTION refuse_erasure_change()"
    )


def downgrade() -> None:
    """Drop it. Nobody knows any more what has to be erased again after a restore."""
    op.drop_table("erasures")
    op.execute("DROP FUNCTION refuse_erasure_change")
