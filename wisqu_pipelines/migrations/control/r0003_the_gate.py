"""Approvals that can be revoked, freezes, holds; and a gate that the database keeps itself.

The triggers bind every role, the owner too. They know neither the time nor people's roles of today: those the
application checks, with its own clock, at the claim and again before it publishes.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wisqu_pipelines.migrations.control.r0001_control_database import refuse_illegal_move
from wisqu_pipelines.migrations.control.r0002_verification_and_parts import MOVES as MOVES_BEFORE

revision: str = "control_0003"
down_revision: str | None = "control_0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MOVES = (*MOVES_BEFORE, ("executing", "approved"))
"""A path that closes before a promotion is published puts it back to wait."""
REFUSE_DECISION = """
CREATE FUNCTION refuse_decision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    plan promotions;
BEGIN
    SELECT * INTO plan FROM promotions WHERE id = NEW.promotion_id FOR SHARE;
    IF TG_OP = 'UPDATE' THEN
        IF plan.state NOT IN ('planned', 'approved', 'failed') THEN
            RAISE EXCEPTION 'the promotion % is %, and approvals are revoked until the claim', plan.id, plan.state
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF plan.state NOT IN ('planned', 'approved') THEN
        RAISE EXCEPTION 'the promotion % is %, and waits for no decision', plan.id, plan.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.plan_digest <> plan.plan_digest THEN
        RAISE EXCEPTION 'a decision on the promotion % names its own plan digest', plan.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.decision = 'approve' AND (plan.policy ->> 'self_approval') IS DISTINCT FROM 'true'
            AND (plan.requested_by_user_id IS NULL OR plan.requested_by_user_id = NEW.user_id) THEN
        RAISE EXCEPTION 'the promotion % takes the yes of somebody who did not ask for it', plan.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""
REFUSE_TOO_FEW = """
CREATE FUNCTION refuse_too_few_approvals() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    needed integer := (NEW.policy ->> 'approvals')::integer;
    standing integer;
BEGIN
    SELECT count(*) INTO standing FROM promotion_approvals
    WHERE promotion_id = NEW.id AND decision = 'approve' AND revoked_at IS NULL AND plan_digest = NEW.plan_digest;
    IF needed IS NULL OR standing < needed OR needed < 1 THEN
        RAISE EXCEPTION 'the promotion % cannot be %: it has % of % approvals', NEW.id, NEW.state, standing, needed
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""
REFUSE_NEW_PLAN = """
CREATE FUNCTION refuse_new_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'planned' OR EXISTS (SELECT FROM promotion_approvals WHERE promotion_id = OLD.id) THEN
        RAISE EXCEPTION 'the plan of the promotion % is decided on and does not change', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$
"""
REFUSE_NEW_ITEMS = """
CREATE FUNCTION refuse_new_items() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    decided uuid;
BEGIN
    SELECT id INTO decided FROM promotions
    WHERE id IN (SELECT promotion_id FROM changed)
        AND (state <> 'planned' OR EXISTS (SELECT FROM promotion_approvals WHERE promotion_id = promotions.id))
    LIMIT 1;
    IF decided IS NOT NULL THEN
        RAISE EXCEPTION 'the plan of the promotion % is decided on and does not change', decided
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$
"""
REFUSE_REWRITING = """
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'what is in % stays', TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END IF;
    IF to_jsonb(OLD) - TG_ARGV <> to_jsonb(NEW) - TG_ARGV OR to_jsonb(OLD) ->> TG_ARGV[0] IS NOT NULL THEN
        RAISE EXCEPTION 'in % only % are filled in, and once', TG_TABLE_NAME, array_to_string(TG_ARGV, ', ')
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""
FUNCTIONS = (
    "refuse_decision",
    "refuse_too_few_approvals",
    "refuse_new_plan",
    "refuse_new_items",
    "refuse_rewriting",
)
PLAN = (
    "plan_digest",
    "policy",
    "selection",
    "totals",
    "promotion_type",
    "source_environment",
    "target_environment",
    "requested_by_user_id",
)
"""What people said yes to, and who must not have said it."""
ITEM_CHANGES = (
    ("added", "INSERT", "NEW"),
    ("changed", "UPDATE", "OLD"),
    ("moved_in", "UPDATE", "NEW"),
    ("deleted", "DELETE", "OLD"),
)
"""What can be done to a plan's items, and on which side the plan stands to which it is done."""
FILLED_IN = {
    "promotion_approvals": ("revoked_at", "revoked_reason"),
    "freeze_windows": ("ended_at", "ended_by_user_id", "end_reason"),
    "freeze_overrides": ("confirmed_at", "confirmed_by_user_id", "confirm_reason"),
    "path_holds": ("released_at", "released_by_user_id", "release_reason"),
}
"""The columns that end a row's life; nothing else of it changes, and it is never deleted."""


def upgrade() -> None:
    """Add columns, tables and triggers."""
    op.add_column("promotion_approvals", sa.Column("revoked_at", sa.DateTime(timezone=True)))
    op.add_column("promotion_approvals", sa.Column("revoked_reason", sa.Text))
    for name, rule in (
        ("revoked_says_why", "(revoked_at IS NULL) = (revoked_reason IS NULL)"),
        ("revoked_was_approved", "revoked_at IS NULL OR decision = 'approve'"),
    ):
        op.create_check_constraint(op.f(f"ck_promotion_approvals_{name}"), "promotion_approvals", rule)
    _freezes()
    _holds()
    _triggers()
    op.execute(refuse_illegal_move(MOVES))


def downgrade() -> None:
    """Take them away again, and with them every freeze, and what was revoked."""
    op.execute(refuse_illegal_move(MOVES_BEFORE))
    for table in ("path_holds", "freeze_overrides", "freeze_windows"):
        op.drop_table(table)
    for table, triggers in (
        ("promotion_approvals", ("rightful", "revocable", "keeps_decision", "is_not_emptied")),
        ("promotions", ("takes_approvals", "keeps_plan", "is_not_deleted", "is_not_emptied")),
        ("promotion_items", (*(f"keeps_{name}" for name, _, _ in ITEM_CHANGES), "is_not_emptied")),
    ):
        for trigger in triggers:
            op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DELETE FROM promotion_approvals WHERE revoked_at IS NOT NULL")  # or they would count again
    op.drop_column("promotion_approvals", "revoked_reason")
    op.drop_column("promotion_approvals", "revoked_at")


def _freezes() -> None:
    op.create_table(
        "freeze_windows",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("path", sa.String(100), nullable=False),
        sa.Column("cron", sa.String(200)),
        sa.Column("duration_minutes", sa.Integer),
        sa.Column("starts_at", sa.DateTime(timezone=True)),
        sa.Column("ends_at", sa.DateTime(timezone=True)),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_by_user_id", sa.Uuid, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("ended_by_user_id", sa.Uuid),
        sa.Column("end_reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_freeze_windows"),
        _of_person("freeze_windows", "created_by_user_id"),
        _of_person("freeze_windows", "ended_by_user_id"),
        _rule(
            "freeze_windows",
            "once_or_recurring",
            "num_nonnulls(cron, duration_minutes) = 2 AND num_nulls(starts_at, ends_at) = 2 "
            "OR num_nulls(cron, duration_minutes) = 2 AND num_nonnulls(starts_at, ends_at) = 2",
        ),
        _rule("freeze_windows", "begins_before_it_ends", "starts_at < ends_at"),
        _rule("freeze_windows", "lasts", "duration_minutes > 0"),
        _rule("freeze_windows", "end_is_whole", "num_nulls(ended_at, ended_by_user_id, end_reason) IN (0, 3)"),
    )
    op.create_index("ix_freeze_windows_path", "freeze_windows", ["path"])
    op.create_table(
        "freeze_overrides",
        sa.Column("promotion_id", sa.Uuid, nullable=False),
        sa.Column("freeze_id", sa.Uuid, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by_user_id", sa.Uuid, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("confirmed_by_user_id", sa.Uuid),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.Column("confirm_reason", sa.Text),
        sa.PrimaryKeyConstraint("promotion_id", "freeze_id", "expires_at", name="pk_freeze_overrides"),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotions.id"], name="fk_freeze_overrides_promotion_id_promotions", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["freeze_id"], ["freeze_windows.id"], name="fk_freeze_overrides_freeze_id_freeze_windows"
        ),
        _of_person("freeze_overrides", "asked_by_user_id"),
        _of_person("freeze_overrides", "confirmed_by_user_id"),
        _rule("freeze_overrides", "takes_two", "confirmed_by_user_id <> asked_by_user_id"),
        _rule(
            "freeze_overrides",
            "confirmation_is_whole",
            "num_nulls(confirmed_by_user_id, confirmed_at, confirm_reason) IN (0, 3)",
        ),
    )


def _holds() -> None:
    op.create_table(
        "path_holds",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("path", sa.String(100), nullable=False),
        sa.Column("promotion_id", sa.Uuid, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True)),
        sa.Column("released_by_user_id", sa.Uuid),
        sa.Column("release_reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_path_holds"),
        sa.ForeignKeyConstraint(["promotion_id"], ["promotions.id"], name="fk_path_holds_promotion_id_promotions"),
        _of_person("path_holds", "released_by_user_id"),
        _rule(
            "path_holds",
            "release_is_whole",
            "num_nulls(released_at, released_by_user_id, release_reason) IN (0, 3)",
        ),
    )
    op.create_index(
        "ix_path_holds_path_promotion_id",
        "path_holds",
        ["path", "promotion_id"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    )


def _triggers() -> None:
    for function in (REFUSE_DECISION, REFUSE_TOO_FEW, REFUSE_NEW_PLAN, REFUSE_NEW_ITEMS, REFUSE_REWRITING):
        op.execute(function)
    for name, when, act in (
        ("rightful", "BEFORE INSERT ON promotion_approvals FOR EACH ROW", "refuse_decision()"),
        ("revocable", "BEFORE UPDATE ON promotion_approvals FOR EACH ROW", "refuse_decision()"),
        (
            "takes_approvals",
            "BEFORE UPDATE OF state ON promotions FOR EACH ROW WHEN (OLD.state IN ('planned', 'approved') "
            "AND NEW.state IN ('approved', 'executing') AND OLD.state <> NEW.state)",
            "refuse_too_few_approvals()",
        ),
        (
            "keeps_plan",
            "BEFORE UPDATE ON promotions FOR EACH ROW "
            f"WHEN ({' OR '.join(f'OLD.{each} IS DISTINCT FROM NEW.{each}' for each in PLAN)})",
            "refuse_new_plan()",
        ),
        ("is_not_deleted", "BEFORE DELETE ON promotions FOR EACH ROW", "refuse_new_plan()"),
    ):
        op.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {act}")
    for name, act, side in ITEM_CHANGES:  # for each statement, not for each row: a plan may have a million items
        op.execute(
            f"CREATE TRIGGER keeps_{name} AFTER {act} ON promotion_items REFERENCING {side} TABLE AS changed "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_new_items()"
        )
    for table, columns in FILLED_IN.items():
        op.execute(
            f"CREATE TRIGGER keeps_decision BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION refuse_rewriting({', '.join(columns)})"
        )
    for table in (*FILLED_IN, "promotions", "promotion_items"):
        op.execute(
            f"CREATE TRIGGER is_not_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )


def _of_person(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["central_users.id"], name=f"fk_{table}_{column}_central_users")


def _rule(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))
