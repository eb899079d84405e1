"""What the control database knows of promotions, and an environment that was restored from a backup no longer does."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.models import EnvironmentAccess, EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.promotion.models import Promotion, PromotionState
from wisqu_pipelines.promotion.rollback import TAKEN_BACK

HAPPENED = (PromotionState.PUBLISHED, PromotionState.SUCCEEDED, PromotionState.ROLLING_BACK)
"""The states of which each has its receipt in the target."""


def lost_promotions(control: Session, there: Session, environment: str) -> Sequence[UUID]:
    """The promotions into an environment that have happened, and whose receipts it does not have; oldest first."""
    receipts = set(
        there.scalars(
            select(EnvironmentPromotion.promotion_id).where(EnvironmentPromotion.status == ReceiptStatus.SUCCESS)
        )
    )
    happened = control.scalars(
        select(Promotion.id)
        .where(Promotion.target_environment == environment, Promotion.state.in_(HAPPENED))
        .order_by(Promotion.finished_at, Promotion.id)
    )
    return [each for each in happened if each not in receipts]


def lost_rollbacks(control: Session, there: Session, environment: str) -> Sequence[UUID]:
    """The promotions into an environment of which fewer rollbacks are written down there than in the control database:
    what was taken back stands there again. Ordered by id.
    """
    rows = there.execute(select(EnvironmentPromotion.promotion_id, EnvironmentPromotion.status)).all()
    receipts = {row.promotion_id for row in rows if row.status == ReceiptStatus.SUCCESS}
    known = Counter(row.promotion_id for row in rows if row.status == ReceiptStatus.ROLLED_BACK)
    promotion_id = EnvironmentAccess.details["promotion_id"].as_string()
    counts = control.execute(
        select(promotion_id, func.count())
        .where(EnvironmentAccess.environment == environment, EnvironmentAccess.action == TAKEN_BACK)
        .group_by(promotion_id)
    )
    happened = {UUID(each): count for each, count in counts}
    return sorted(each for each, count in happened.items() if each in receipts and known[each] < count)
