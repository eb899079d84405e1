"""Before-images in a table of their own, and rollbacks in parts."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "environment_0002"
down_revision: str | None = "environment_0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

REFUSE_NEW_IMAGE = """
CREATE FUNCTION refuse_new_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.promotion_id, NEW.item_type, NEW.target_id, NEW.image) IS DISTINCT FROM
       (OLD.promotion_id, OLD.item_type, OLD.target_id, OLD.image) THEN
        RAISE EXCEPTION 'a before-image is never changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    """Make the table; receipts get the rollback's id."""
    op.create_table(
        "promotion_before_images",
        sa.Column("promotion_id", sa.Uuid, nullable=False),
        sa.Column("item_type", sa.String(100), nullable=False),
        sa.Column("target_id", sa.Uuid, nullable=False),
        sa.Column("image", JSONB, nullable=False),
        sa.Column("restored_by", sa.Uuid),
        sa.PrimaryKeyConstraint("promotion_id", "item_type", "target_id", name="pk_promotion_before_images"),
    )
    op.create_index(
        "ix_promotion_before_images_item_type_target_id", "promotion_before_images", ["item_type", "target_id"]
    )
    op.execute(REFUSE_NEW_IMAGE)
    op.execute(
        "CREATE TRIGGER keeps_image BEFORE UPDATE ON promotion_before_images "
        "FOR EACH ROW EXECUTE FUNCTION refuse_new_image()"
    )
    op.add_column("environment_promotions", sa.Column("rollback_id", sa.Uuid))
    op.drop_index("ix_environment_promotions_promotion_id_status", "environment_promotions")
    op.create_index(
        "ix_environment_promotions_promotion_id",
        "environment_promotions",
        ["promotion_id"],
        unique=True,
        postgresql_where=sa.text("status = 'success'"),
    )
    op.create_index(
        "ix_environment_promotions_rollback_id",
        "environment_promotions",
        ["rollback_id"],
        unique=True,
        postgresql_where=sa.text("rollback_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop it, and with it what promotions until now could be taken back to."""
    op.drop_index("ix_environment_promotions_rollback_id", "environment_promotions")
    op.drop_index("ix_environment_promotions_promotion_id", "environment_promotions")
    op.create_index(
        "ix_environment_promotions_promotion_id_status",
        "environment_promotions",
        ["promotion_id", "status"],
        unique=True,
        postgresql_where=sa.text("status <> 'failed'"),
    )
    op.drop_column("environment_promotions", "rollback_id")
    op.drop_table("promotion_before_images")
    op.execute("DROP FUNCTION refuse_new_image")
