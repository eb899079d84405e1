"""Before-images go only in a transaction whose last audit line says that a person's data was erased."""

from collections.abc import Sequence

from alembic import op

revision: str = "environment_0007"
down_revision: str | None = "environment_0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_REFUSE = """
CREATE FUNCTION refuse_loss_of_before_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM developer_actions line
        JOIN audit_chain_heads head ON head.chain = 'developer_actions' AND head.length = line.sequence
        WHERE line.action IN ('erased', 'erased_again') AND line.xmin = pg_current_xact_id()::xid
    ) THEN
        RAISE EXCEPTION 'a before-image is deleted by an audited erasure only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    """Guard the table: the application's role may now delete from it."""
    op.execute(_REFUSE)
    op.execute(
        "CREATE CONSTRAINT TRIGGER only_by_erasure AFTER DELETE ON promotion_before_images "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_loss_of_before_image()"
    )


def downgrade() -> None:
    """Drop the guard; the rights of the release before let nobody delete."""
    op.execute("DROP TRIGGER only_by_erasure ON promotion_before_images")
    op.execute("DROP FUNCTION refuse_loss_of_before_image")
