"""What promotions have to do with a person's rows: which are running, and where copies are."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import Session

from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.erasure.report import Copies
from wisqu_pipelines.promotion.lineage import HAPPENED, ancestors
from wisqu_pipelines.promotion.models import MOVING, Promotion, PromotionItem, PromotionState

RUNNING = (PromotionState.EXECUTING, PromotionState.PUBLISHED, PromotionState.ROLLING_BACK)
Rows = Mapping[str, Collection[UUID]]
"""Ids by type."""


def running(session: Session, environment: str, rows: Rows) -> Sequence[UUID]:
    """The promotions under way that have one of these rows on their list, as its source or as its target."""
    wanted = (
        select(Promotion.id)
        .join(PromotionItem, PromotionItem.promotion_id == Promotion.id)
        .where(Promotion.state.in_(RUNNING), _here(environment, rows))
    )
    return sorted(set(session.scalars(wanted)))


def copies(session: Session, environment: str, rows: Rows) -> Sequence[Copies]:
    """How many rows in other environments are what these were promoted to, or came from."""
    found: set[tuple[str, str, UUID]] = set()
    for kind, ids in rows.items():
        found |= {(hop.source_environment, kind, hop.source_id) for hop in ancestors(session, ids)}
        waiting = {environment: set(ids)}
        while waiting:
            place, here = waiting.popitem()
            onwards = select(Promotion.target_environment, PromotionItem.target_id).join(
                Promotion, Promotion.id == PromotionItem.promotion_id
            )
            for there, target in session.execute(
                onwards.where(
                    Promotion.source_environment == place,
                    Promotion.state.in_(HAPPENED),
                    PromotionItem.effect.in_(MOVING),
                    PromotionItem.item_type == kind,
                    among(PromotionItem.source_id, list(here)),
                )
            ):
                if there != environment and (there, kind, target) not in found:
                    found.add((there, kind, target))
                    waiting.setdefault(there, set()).add(target)
    counted = Counter((place, kind) for place, kind, _ in found)
    return [Copies(place, kind, count) for (place, kind), count in sorted(counted.items())]


def _here(environment: str, rows: Rows) -> ColumnElement[bool]:
    return or_(
        false(),
        *(
            and_(
                PromotionItem.item_type == kind,
                or_(
                    (Promotion.source_environment == environment) & among(PromotionItem.source_id, list(ids)),
                    (Promotion.target_environment == environment) & among(PromotionItem.target_id, list(ids)),
                ),
            )
            for kind, ids in rows.items()
        ),
    )
