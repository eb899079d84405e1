"""What a sweep lists is written, and hidden, many rows at a time: an item no longer says that it is hidden, which its
sweep and its row say; the sweep that it names is looked for once for each statement; and it stands in one index less.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "environment_0011"
down_revision: str | None = "environment_0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ITEMS, SWEEPS = "retention_items", "retention_sweeps"
KINDS = ("messages", "conversations", "rag_documents", "stored_files")
BY_ITEM = "ix_retention_items_item_type_item_id"
REFERENCE = "fk_retention_items_sweep_id_retention_sweeps"
_CHECK = """
CREATE FUNCTION check_retention_items() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unknown uuid;
BEGIN
    SELECT sweep_id INTO unknown FROM (SELECT DISTINCT sweep_id FROM written) named
        WHERE NOT EXISTS (SELECT FROM retention_sweeps WHERE id = sweep_id);
    IF FOUND THEN
        RAISE EXCEPTION 'there is no sweep %', unknown USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    """Count hidden items as marked, replace the foreign key by a check of each statement, and drop the index."""
    op.execute("UPDATE retention_items SET state = 'marked' WHERE state = 'hidden'")
    _states("marked", "removing", "purged", "restored", "kept")
    op.drop_index(BY_ITEM, ITEMS)
    op.drop_constraint(REFERENCE, ITEMS)
    op.execute(_CHECK)
    op.execute(
        f"CREATE TRIGGER names_a_sweep AFTER INSERT ON {ITEMS} REFERENCING NEW TABLE AS written "
        "FOR EACH STATEMENT EXECUTE FUNCTION check_retention_items()"
    )


def downgrade() -> None:
    """Put back what was there."""
    op.execute(f"DROP TRIGGER names_a_sweep ON {ITEMS}")
    op.execute("DROP FUNCTION check_retention_items")
    op.create_foreign_key(REFERENCE, ITEMS, SWEEPS, ["sweep_id"], ["id"])
    op.create_index(BY_ITEM, ITEMS, ["item_type", "item_id"])
    _states("marked", "hidden", "removing", "purged", "restored", "kept")
    items = sa.table(ITEMS, *map(sa.column, ("sweep_id", "item_type", "item_id", "state")))
    sweeps = sa.table(SWEEPS, sa.column("id"), sa.column("hidden_at"))
    for kind in KINDS:
        hidden = sa.table(kind, sa.column("id"), sa.column("deleted_at"))
        is_hidden = sa.exists().where(hidden.c.id == items.c.item_id, hidden.c.deleted_at == sweeps.c.hidden_at)
        of_kind = (items.c.state == "marked", items.c.item_type == kind, items.c.sweep_id == sweeps.c.id)
        op.execute(sa.update(items).where(*of_kind, is_hidden).values(state="hidden"))


def _states(*names: str) -> None:
    """The states that an item may be in."""
    op.drop_constraint(op.f("ck_retention_items_state"), ITEMS)
    op.create_check_constraint("state", ITEMS, sa.column("state").in_(names))
