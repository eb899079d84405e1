"""People, promotions, approvals and the audit of both, and what keeps the past as it was."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from wisqu_pipelines.migrations.guards import drop_guards, guard_audit

revision: str = "control_0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = (  # each behind those that refer to it
    "promotion_journal",
    "promotion_items",
    "promotion_approvals",
    "promotions",
    "environment_access_log",
    "central_users",
    "audit_checkpoints",
    "audit_chain_heads",
    "environments",
    "store_marker",
)
FIRST_STATE = "planned"
STATES = (
    "planned",
    "approved",
    "executing",
    "published",
    "succeeded",
    "rejected",
    "refused",
    "failed",
    "rolling_back",
    "rolled_back",
)
MOVES = (
    ("planned", "approved"),
    ("planned", "rejected"),
    ("planned", "refused"),
    ("approved", "executing"),
    ("approved", "rejected"),
    ("approved", "refused"),
    ("executing", "published"),
    ("executing", "failed"),
    ("executing", "refused"),
    ("published", "succeeded"),
    ("succeeded", "rolling_back"),
    ("failed", "executing"),
    ("failed", "refused"),
    ("rolling_back", "rolled_back"),
    ("rolling_back", "succeeded"),
)
"""What may follow what, as the code said it when this revision was written; a test compares the two."""


def refuse_illegal_move(moves: Sequence[tuple[str, str]]) -> str:
    """The trigger's function that lets a promotion begin as a plan and make these moves."""
    legal = ", ".join(f"('{before}', '{after}')" for before, after in moves)
    return f"""
CREATE OR REPLACE FUNCTION refuse_illegal_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> '{FIRST_STATE}' THEN
            RAISE EXCEPTION 'the promotion % cannot begin as %', NEW.id, NEW.state USING ERRCODE = 'check_violation';
        END IF;
    ELSIF (OLD.state, NEW.state) NOT IN ({legal}) THEN
        RAISE EXCEPTION 'the promotion % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    """Create everything."""
    _people()
    _promotions()
    _audit()
    _markers()
    guard_audit(["environment_access_log", "audit_checkpoints"])
    op.execute(refuse_illegal_move(MOVES))
    op.execute(
        "CREATE TRIGGER legal_start BEFORE INSERT ON promotions FOR EACH ROW EXECUTE FUNCTION refuse_illegal_move()"
    )
    op.execute(
        "CREATE TRIGGER legal_move BEFORE UPDATE OF state ON promotions FOR EACH ROW "
        "WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION refuse_illegal_move()"
    )


def downgrade() -> None:
    """Drop everything, and with it every promotion and its audit."""
    for table in TABLES:
        op.drop_table(table)
    drop_guards()
    op.execute("DROP FUNCTION refuse_illegal_move")


def _people() -> None:
    op.create_table(
        "central_users",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("email", sa.String(255), nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("full_name", sa.String(255)),
        sa.Column("is_active", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("environment_access", ARRAY(sa.String(50)), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("dev_role", sa.String(50)),
        sa.Column("stage_role", sa.String(50)),
        sa.Column("prod_role", sa.String(50)),
        sa.Column("can_create_test_accounts", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("test_access_audit", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_central_users"),
        sa.UniqueConstraint("email", name="uq_central_users_email"),
    )


def _promotions() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("promotion_type", sa.String(100), nullable=False),
        sa.Column("source_environment", sa.String(50), nullable=False),
        sa.Column("target_environment", sa.String(50), nullable=False),
        sa.Column("state", sa.String(50), server_default=FIRST_STATE, nullable=False),
        sa.Column("plan_digest", sa.String(64), nullable=False),
        sa.Column("selection", JSONB, nullable=False),
        sa.Column("totals", JSONB, nullable=False),
        sa.Column("policy", JSONB, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("requested_by_user_id", sa.Uuid),
        sa.Column("requested_via", sa.String(50), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.String(100)),
        sa.Column("executed_by_user_id", sa.Uuid),
        sa.Column("epoch", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("duration_seconds", sa.Float),
        sa.Column("success_count", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("error_count", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("rollback_requested_by_user_id", sa.Uuid),
        sa.Column("rollback_reason", sa.Text),
        sa.Column("rollback_requested_at", sa.DateTime(timezone=True)),
        sa.Column("rolled_back_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
        sa.CheckConstraint(
            f"state IN ({', '.join(repr(state) for state in STATES)})", name=op.f("ck_promotions_state")
        ),
    )
    op.create_index("ix_promotions_plan_digest", "promotions", ["plan_digest"])
    op.create_index("ix_promotions_state_created_at", "promotions", ["state", "created_at"])
    op.create_table(
        "promotion_items",
        sa.Column("promotion_id", sa.Uuid, nullable=False),
        sa.Column("item_type", sa.String(100), nullable=False),
        sa.Column("source_id", sa.Uuid, nullable=False),
        sa.Column("target_id", sa.Uuid, nullable=False),
        sa.Column("source_status", sa.String(50), nullable=False),
        sa.Column("label", sa.String(500), nullable=False),
        sa.Column("effect", sa.String(50), nullable=False),
        sa.Column("blocked_reason", sa.Text),
        sa.Column("required_by", sa.Uuid),
        sa.Column("source_hashes", JSONB, nullable=False),
        sa.Column("target_hashes", JSONB),
        sa.Column("file", JSONB),
        sa.Column("vectors", JSONB),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("promotion_id", "item_type", "source_id", name="pk_promotion_items"),
        _of_promotion("promotion_items"),
        sa.CheckConstraint(
            "effect IN ('create', 'update', 'unchanged', 'blocked')", name=op.f("ck_promotion_items_effect")
        ),
    )
    op.create_table(
        "promotion_journal",
        sa.Column("promotion_id", sa.Uuid, nullable=False),
        sa.Column("item_type", sa.String(100), nullable=False),
        sa.Column("source_id", sa.Uuid, nullable=False),
        sa.Column("step", sa.String(50), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("promotion_id", "item_type", "source_id", "step", name="pk_promotion_journal"),
        _of_promotion("promotion_journal"),
    )
    op.create_table(
        "promotion_approvals",
        sa.Column("promotion_id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("plan_digest", sa.String(64), nullable=False),
        sa.Column("decision", sa.String(50), nullable=False),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("promotion_id", "user_id", name="pk_promotion_approvals"),
        _of_promotion("promotion_approvals"),
        sa.ForeignKeyConstraint(["user_id"], ["central_users.id"], name="fk_promotion_approvals_user_id_central_users"),
        sa.CheckConstraint("decision IN ('approve', 'reject')", name=op.f("ck_promotion_approvals_decision")),
    )


def _of_promotion(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["promotion_id"], ["promotions.id"], name=f"fk_{table}_promotion_id_promotions", ondelete="CASCADE"
    )


def _audit() -> None:
    op.create_table(
        "environment_access_log",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid),
        sa.Column("environment", sa.String(50), nullable=False),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("details", JSONB),
        sa.Column("success", sa.Boolean, nullable=False),
        sa.Column("ip_address", sa.String(50)),
        sa.Column("user_agent", sa.String(500)),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("row_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_environment_access_log"),
        sa.UniqueConstraint("sequence", name="uq_environment_access_log_sequence"),
    )
    op.create_table(
        "audit_chain_heads",
        sa.Column("chain", sa.String(63), nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("last_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_audit_chain_heads"),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("environment", sa.String(50), nullable=False),
        sa.Column("chain", sa.String(63), nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("last_hash", sa.String(64), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_checkpoints"),
    )
    op.create_index(
        "ix_audit_checkpoints_environment_chain_length", "audit_checkpoints", ["environment", "chain", "length"]
    )


def _markers() -> None:
    op.create_table(
        "environments",
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("marker", sa.Uuid, nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_environments"),
    )
    op.create_table(
        "store_marker",
        sa.Column("singleton", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("environment", sa.String(50), nullable=False),
        sa.Column("marker", sa.Uuid, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("singleton", name="pk_store_marker"),
        sa.CheckConstraint("singleton", name=op.f("ck_store_marker_one_row")),
    )
