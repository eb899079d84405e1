"""What people have approved and nobody has asked to promote yet."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from wisqu_pipelines.catalog.mixins import may_be_promoted
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.promotion.models import Promotion, PromotionItem
from wisqu_pipelines.promotion.types import PromotableType

AT_ONCE = 2_000


def waits(control: Database, source: Environment, target: str, kind: PromotableType) -> datetime | None:
    """When the last item of a type was approved in `source`, if no plan along the path has looked at some since.

    Args:
        control: Where the plans are.
        source: Where the items are.
        target: Where they are to go.
        kind: Their type.
    """
    model = kind.model
    approved = may_be_promoted(kind.table)
    with source.database.begin() as session:
        newest = session.scalar(select(func.max(model.updated_at)).where(approved))
    if newest is None:
        return None
    after: UUID | None = None
    while True:
        wanted = select(model.id, model.updated_at).where(approved)
        if after is not None:
            wanted = wanted.where(model.id > after)
        with source.database.begin() as session:
            page = {row.id: row.updated_at for row in session.execute(wanted.order_by(model.id).limit(AT_ONCE))}
        if not page:
            return None
        planned = (
            select(PromotionItem.source_id, func.max(Promotion.created_at))
            .join(Promotion, Promotion.id == PromotionItem.promotion_id)
            .where(
                Promotion.source_environment == source.name,
                Promotion.target_environment == target,
                among(PromotionItem.source_id, list(page)),
            )
            .group_by(PromotionItem.source_id)
        )
        with control.begin() as session:
            looked_at = {row[0]: row[1] for row in session.execute(planned)}
        if any(id_ not in looked_at or looked_at[id_] < at for id_, at in page.items()):
            return newest
        after = max(page)
