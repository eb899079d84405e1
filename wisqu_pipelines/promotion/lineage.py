"""Where an item came from: the chain of promotions that brought it, back to its first source."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, cast, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.promotion.models import MOVING, Promotion, PromotionItem, PromotionJournal, PromotionState, Step

HAPPENED = (PromotionState.PUBLISHED, PromotionState.SUCCEEDED)


@dataclass(frozen=True)
class Ancestor:
    """One hop of an item's way."""

    promotion_id: UUID
    item_type: str
    label: str
    source_environment: str
    source_id: UUID
    target_environment: str
    target_id: UUID
    finished_at: datetime | None


def ancestors(session: Session, item_ids: Collection[UUID]) -> Sequence[Ancestor]:
    """The hops of items' ways back to their first sources, nearest first, in one recursive query: for each hop the last
    promotion that brought it and was not taken back. Each generation reads the items of all plans once, however many
    are asked for.

    Args:
        session: A transaction in the control database.
        item_ids: The rows' ids in the environments that they came to.
    """
    item, promotion = aliased(PromotionItem), aliased(Promotion)
    undone = select(PromotionJournal.source_id).where(
        PromotionJournal.promotion_id == item.promotion_id,
        PromotionJournal.item_type == item.item_type,
        PromotionJournal.source_id == item.source_id,
        PromotionJournal.step.in_((Step.SKIPPED, Step.ROLLED_BACK)),
    )
    hops = (
        select(
            item.promotion_id,
            item.item_type,
            item.label,
            promotion.source_environment,
            item.source_id,
            promotion.target_environment,
            item.target_id,
            promotion.finished_at,
        )
        .join(promotion, promotion.id == item.promotion_id)
        .where(item.effect.in_(MOVING), promotion.state.in_(HAPPENED), ~undone.exists())
        .ext(distinct_on(item.target_id))
        .order_by(item.target_id, promotion.finished_at.desc().nulls_first())
        .subquery("hops")
    )
    start = select(hops, cast(literal(1), Integer).label("hop")).where(among(hops.c.target_id, item_ids))
    way = start.cte("way", recursive=True)
    way = way.union_all(select(hops, way.c.hop + 1).join(way, hops.c.target_id == way.c.source_id))
    rows = session.execute(select(*(way.c[column.name] for column in hops.c)).order_by(way.c.hop))
    return [Ancestor(*row) for row in rows]
