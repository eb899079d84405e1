"""Restores from backups: which noted rows of an audit chain are lost by one, by the word of two people."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "control_0011"
down_revision: str | None = "control_0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_REFUSE = """
CREATE FUNCTION refuse_restore_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.confirmed_by IS NOT NULL THEN
            RAISE EXCEPTION 'the restore % cannot begin as confirmed', NEW.id USING ERRCODE = 'check_violation';
        END IF;
    ELSIF OLD.confirmed_by IS NOT NULL OR
        (OLD.id, OLD.database, OLD.lost, OLD.kept, OLD.promotions, OLD.rollbacks, OLD.reason, OLD.reported_by,
            OLD.reported_at)
        IS DISTINCT FROM
        (NEW.id, NEW.database, NEW.lost, NEW.kept, NEW.promotions, NEW.rollbacks, NEW.reason, NEW.reported_by,
            NEW.reported_at)
    THEN
        RAISE EXCEPTION 'what the restore % says is never changed', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    """Add the table, with its guard."""
    op.create_table(
        "restores",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("database", sa.String(50), nullable=False),
        sa.Column("lost", JSONB, nullable=False),
        sa.Column("kept", JSONB, nullable=False),
        sa.Column("promotions", JSONB, nullable=False),
        sa.Column("rollbacks", JSONB, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("reported_by", sa.Uuid, nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.Uuid),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.Column("confirm_reason", sa.Text),
        sa.Column("signature", sa.Text),
        sa.CheckConstraint("confirmed_by <> reported_by", name="takes_two"),
        sa.CheckConstraint(
            "num_nulls(confirmed_by, confirmed_at, confirm_reason, signature) IN (0, 4)", name="confirmation_is_whole"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_restores"),
    )
    op.create_index("ix_restores_database_reported_at", "restores", ["database", "reported_at"])
    op.execute(_REFUSE)
    op.execute(
        "CREATE TRIGGER legal_restore BEFORE INSERT OR UPDATE ON restores "
        "FOR EACH ROW EXECUTE FUNCTION refuse_restore_change()"
    )


def downgrade() -> None:
    """Drop it: what restores have lost is a finding of every verification again."""
    op.drop_table("restores")
    op.execute("DROP FUNCTION refuse_restore_change")
