"""The database's own guard over its audit: triggers that refuse to change what was written.

They bind every role, the owner too; only a superuser can switch them off, and what is changed then shows in the chains.
"""

from collections.abc import Sequence

from alembic import op

HEADS = "audit_chain_heads"

_REFUSE_CHANGE = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit table % is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$
"""
_REFUSE_SHORTER = """
CREATE FUNCTION refuse_shorter_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.chain <> OLD.chain OR NEW.length NOT BETWEEN OLD.length AND OLD.length + 1 THEN
        RAISE EXCEPTION 'an audit chain grows one row at a time' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$
"""


def guard_audit(tables: Sequence[str]) -> None:
    """Make tables append-only, and the chains' heads grow only.

    Args:
        tables: The audit tables, besides `audit_chain_heads`.
    """
    op.execute(_REFUSE_CHANGE)
    op.execute(_REFUSE_SHORTER)
    for table, acts in (*((table, "UPDATE OR DELETE OR TRUNCATE") for table in tables), (HEADS, "DELETE OR TRUNCATE")):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE {acts} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )
    op.execute(
        f"CREATE TRIGGER grows_by_one BEFORE UPDATE ON {HEADS} FOR EACH ROW EXECUTE FUNCTION refuse_shorter_chain()"
    )


def drop_guards() -> None:
    """Drop the triggers' functions, once their tables are gone."""
    op.execute("DROP FUNCTION refuse_audit_change")
    op.execute("DROP FUNCTION refuse_shorter_chain")
