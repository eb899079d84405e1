"""What a promotion replaced: whether it is still there, for the day on which somebody wants it back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from wisqu_pipelines.catalog.models import PromotionBeforeImage
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.promotion.batches import by_weight
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.types import TYPES
from wisqu_pipelines.promotion.unpublishing import Scope

POINTS_AT_ONCE = 10_000
"""Ids in one question to the vector index."""

Replaced = tuple[PlannedItem, Mapping[str, Any]]
"""An item, and its row as it was before."""


def lost(scope: Scope, target: Environment) -> Iterator[str]:
    """Why items would not be again what they were before the promotion: a sentence for each whose file or vectors are
    gone. Their row would come back, and show readers something that is not there.
    """
    for page in scope.pages(effects=(Effect.UPDATE,)):
        kind = TYPES[page[0].item_type]
        replaced = list(_replaced(scope.promotion.id, target, page))
        if kind.has_file:
            yield from _lost_files(target, replaced)
        if kind.has_vectors:
            yield from _lost_vectors(target, replaced)


def _replaced(promotion_id: UUID, target: Environment, page: Sequence[PlannedItem]) -> Iterator[Replaced]:
    items = {item.target_id: item for item in page}
    with target.database.snapshot() as session:
        images = session.execute(
            select(PromotionBeforeImage.target_id, PromotionBeforeImage.image).where(
                PromotionBeforeImage.promotion_id == promotion_id,
                PromotionBeforeImage.item_type == page[0].item_type,
                among(PromotionBeforeImage.target_id, list(items)),
            )
        ).all()
    for target_id, image in images:
        yield items[target_id], image


def _lost_files(target: Environment, replaced: Sequence[Replaced]) -> Iterator[str]:
    places = [(target.settings.get_bucket_name(image["bucket"]), image["object_name"]) for _, image in replaced]
    for (item, image), found in zip(replaced, target.objects.stat_many(places), strict=True):
        if found is None:
            yield _said(item, f"there is no object {image['object_name']} any more")


def _lost_vectors(target: Environment, replaced: Sequence[Replaced]) -> Iterator[str]:
    collections: dict[str, list[Replaced]] = {}
    for item, image in replaced:
        collections.setdefault(target.settings.get_collection_name(image["collection"]), []).append((item, image))
    for collection, members in collections.items():
        for batch in by_weight(members, POINTS_AT_ONCE, lambda each: int(each[1]["point_count"])):
            ids = [point_ids(UUID(image["vector_version"]), image["point_count"]) for _, image in batch]
            found = target.vectors.present(collection, [each for some in ids for each in some])
            for (item, _), wanted in zip(batch, ids, strict=True):
                if gone := sum(each not in found for each in wanted):
                    yield _said(item, f"{gone} of its {len(wanted)} vectors are not there any more")


def _said(item: PlannedItem, problem: str) -> str:
    return f"{item.item_type} '{item.label}' ({item.target_id}): what it was before cannot come back: {problem}"
