"""What readers of the target see of vectors, and what its cache remembers."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from wisqu_pipelines.catalog.cached import cached_item, cached_searches
from wisqu_pipelines.catalog.models import PromotionBeforeImage
from wisqu_pipelines.catalog.points import ENVIRONMENT, point_ids, staged
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.staging import Staging
from wisqu_pipelines.promotion.types import TYPES


def reveal(target: Environment, staging: Staging, page: Sequence[PlannedItem]) -> None:
    """Show the promoted points, hide the points that they supersede, and drop what the cache knows of either."""
    staging.reveal(page)
    _set_superseded(target, staging.promotion_id, page, staged(target.name))
    forget_cached(target, page)


def restore_superseded(target: Environment, promotion_id: UUID, page: Sequence[PlannedItem]) -> None:
    """Show the points again that the promotion had hidden."""
    _set_superseded(target, promotion_id, page, target.name)


def forget_cached(target: Environment, page: Sequence[PlannedItem]) -> None:
    """Drop what the target's cache knows of these items, and every cached search that could have found them."""
    if keys := [cached_item(item.item_type, item.target_id) for item in page]:
        target.cache.delete(*keys)
    for base in {item.vectors.collection for item in page if item.vectors}:
        target.cache.delete_prefix(cached_searches(target.settings.get_collection_name(base)))


def _set_superseded(target: Environment, promotion_id: UUID, page: Sequence[PlannedItem], value: str) -> None:
    points: dict[str, list[UUID]] = {}
    for image in _images(target, promotion_id, page):
        collection = target.settings.get_collection_name(image["collection"])
        points.setdefault(collection, []).extend(point_ids(UUID(image["vector_version"]), image["point_count"]))
    for collection, ids in points.items():
        target.vectors.set_payload(collection, ids, {ENVIRONMENT: value})


def _images(target: Environment, promotion_id: UUID, page: Sequence[PlannedItem]) -> Iterator[dict[str, Any]]:
    """The before-images of a page's updated items that have vectors."""
    updated = [item.target_id for item in page if item.effect == Effect.UPDATE and TYPES[item.item_type].has_vectors]
    if updated:
        with target.database.begin() as session:
            yield from session.scalars(
                select(PromotionBeforeImage.image).where(
                    PromotionBeforeImage.promotion_id == promotion_id,
                    PromotionBeforeImage.item_type == page[0].item_type,
                    among(PromotionBeforeImage.target_id, updated),
                )
            ).all()
