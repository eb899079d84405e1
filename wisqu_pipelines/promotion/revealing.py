"""What readers of the target see of vectors, and what its cache remembers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from wisqu_pipelines.catalog.cached import cached_item, cached_searches
from wisqu_pipelines.catalog.points import ENVIRONMENT, point_ids, staged
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.staging import Staging
from wisqu_pipelines.promotion.types import TYPES


def reveal(
    target: Environment, staging: Staging, items: Sequence[PlannedItem], rollback_data: Mapping[str, Any]
) -> None:
    """Show the promoted points, hide the points that they supersede, and drop what the cache knows of either."""
    staging.reveal(items)
    _set_superseded(target, rollback_data, staged(target.name))
    forget_cached(target, items)


def restore_superseded(target: Environment, rollback_data: Mapping[str, Any]) -> None:
    """Show the points again that the promotion had hidden."""
    _set_superseded(target, rollback_data, target.name)


def forget_cached(target: Environment, items: Iterable[PlannedItem]) -> None:
    """Drop what the target's cache knows of these items, and every cached search that could have found them."""
    items = list(items)
    if keys := [cached_item(item.item_type, item.target_id) for item in items]:
        target.cache.delete(*keys)
    for base in {item.vectors.collection for item in items if item.vectors}:
        target.cache.delete_prefix(cached_searches(target.settings.get_collection_name(base)))


def _set_superseded(target: Environment, rollback_data: Mapping[str, Any], value: str) -> None:
    for name, images in rollback_data.get("before_images", {}).items():
        if TYPES[name].has_vectors:
            for image in images:
                target.vectors.set_payload(
                    target.settings.get_collection_name(image["collection"]),
                    point_ids(UUID(image["vector_version"]), image["point_count"]),
                    {ENVIRONMENT: value},
                )
