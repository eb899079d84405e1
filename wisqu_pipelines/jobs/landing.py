"""What a promotion or rollback changed, as events on the target's assets."""

from collections.abc import Iterator

from dagster import AssetMaterialization, MetadataValue

from wisqu_pipelines.assets import keys
from wisqu_pipelines.promotion.results import PromotionResult


def landed(result: PromotionResult, plan_digest: str) -> Iterator[AssetMaterialization]:
    """An event for each asset of the target that the result touched."""
    touched = {kind: count for kind, count in result.by_type.items() if kind in keys.KINDS and count}
    if result.points:
        touched[keys.VECTORS] = result.points
    touched[keys.RECEIPTS] = 1
    for kind, count in touched.items():
        yield AssetMaterialization(
            asset_key=keys.key(result.target_environment, kind),
            description=f"{result.promotion_type} from {result.source_environment}: {result.state}",
            metadata={"wisqu/changed": MetadataValue.int(count), **outcome_metadata(result, plan_digest)},
        )


def outcome_metadata(result: PromotionResult, plan_digest: str) -> dict[str, MetadataValue]:
    """The figures of a result."""
    return {
        "outcome": MetadataValue.text(result.state.value),
        "promotion": MetadataValue.text(str(result.promotion_id)),
        "plan digest": MetadataValue.text(plan_digest),
        "path": MetadataValue.text(f"{result.source_environment}->{result.target_environment}"),
        "items": MetadataValue.int(result.success_count),
        "errors": MetadataValue.int(result.error_count),
        "bytes": MetadataValue.int(result.bytes),
        "points": MetadataValue.int(result.points),
        "seconds": MetadataValue.float(round(result.duration_seconds, 2)),
    }
