"""Ending promotions that wait for ever: what they name stays from retention as long as they are open."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.promotion.cancelling import WAITING
from wisqu_pipelines.promotion.ledger import move, write_down
from wisqu_pipelines.promotion.models import Promotion, PromotionState

WHY = {
    PromotionState.PLANNED: "too few people approved it",
    PromotionState.APPROVED: "it was approved, and no run began",
    PromotionState.FAILED: "it had failed, and was not executed again",
}


class LapsingService:
    """Refuses promotions that have waited longer than anybody will still decide on them."""

    def __init__(self, control: Database, days: int, clock: Clock) -> None:
        """Let promotions of `control` wait for so many days since their plan was made."""
        self._control = control
        self._days = days
        self._clock = clock

    def over(self) -> Sequence[UUID]:
        """The promotions that `lapse` would refuse now, oldest first."""
        with self._control.snapshot() as session:
            return session.scalars(_waiting_since(self._before()).with_only_columns(Promotion.id)).all()

    def lapse(self) -> Sequence[UUID]:
        """Refuse what has waited too long, each audited; returns their ids. One that somebody decides on right now, or
        a run takes, is left to them.
        """
        before = self._before()
        with self._control.begin() as session:
            lapsed = session.scalars(_waiting_since(before).with_for_update(skip_locked=True)).all()
            for promotion in lapsed:
                why = WHY[PromotionState(promotion.state)]
                move(promotion, PromotionState.REFUSED)
                promotion.error = (
                    f"It was planned {self._days} days ago, and {why}. For what is still wanted make a new preview."
                )
                promotion.finished_at = self._clock.now()
                write_down(session, promotion, "promotion_lapsed", None, promotion.error, promotion.finished_at)
            return [each.id for each in lapsed]

    def _before(self) -> datetime:
        return self._clock.now() - timedelta(days=self._days)


def _waiting_since(before: datetime) -> Select[Promotion]:
    return (
        select(Promotion)
        .where(Promotion.state.in_(WAITING), Promotion.created_at < before)
        .order_by(Promotion.created_at)
    )
