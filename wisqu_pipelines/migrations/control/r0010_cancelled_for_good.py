"""A promotion that a person cancels is rejected, also where a run is at it or it has failed: it is never executed."""

from collections.abc import Sequence

from alembic import op

from wisqu_pipelines.migrations.control.r0001_control_database import refuse_illegal_move
from wisqu_pipelines.migrations.control.r0003_the_gate import MOVES as MOVES_BEFORE

revision: str = "control_0010"
down_revision: str | None = "control_0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MOVES = (*MOVES_BEFORE, ("executing", "rejected"), ("failed", "rejected"))


def upgrade() -> None:
    """Allow the two moves."""
    op.execute(refuse_illegal_move(MOVES))


def downgrade() -> None:
    """Forbid them again; what has made them stays rejected."""
    op.execute(refuse_illegal_move(MOVES_BEFORE))
