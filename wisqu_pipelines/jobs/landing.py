"""What a promotion or rollback changed, as events on the target's assets."""

from collections.abc import Iterator, Mapping

from dagster import AssetKey, AssetMaterialization, DagsterInstance, MetadataValue

from wisqu_pipelines.assets import keys
from wisqu_pipelines.promotion.results import PromotionResult
from wisqu_pipelines.settings import declared, path_name

DATA_VERSION = "dagster/data_version"
CODE_VERSION = "dagster/code_version"
INPUT_VERSION = "dagster/input_data_version"
INPUT_EVENT = "dagster/input_event_pointer"
"""What Dagster notes with what an asset makes, and leaves to whoever reports what something else has made."""
NEVER_MADE = "NULL"
UNVERSIONED = "INITIAL"


def landed(instance: DagsterInstance, result: PromotionResult, plan_digest: str) -> Iterator[AssetMaterialization]:
    """An event for each asset of the target that the result touched: those first that others are made of.

    Each says what its inputs were by then. Without that Dagster shows it as unsynced as soon as it has landed.
    """
    touched = {**result.by_type, keys.VECTORS: result.points, keys.RECEIPTS: 1}
    names = declared()
    version = f"{result.promotion_id} {result.state}"
    for kind in keys.KINDS.values():
        if count := touched.get(kind.name):
            upstream = keys.upstream_keys(names, result.target_environment, kind)
            yield AssetMaterialization(
                asset_key=keys.key(result.target_environment, kind.name),
                description=f"{result.promotion_type} from {result.source_environment}: {result.state}",
                metadata={"wisqu/changed": MetadataValue.int(count), **outcome_metadata(result, plan_digest)},
                tags={
                    DATA_VERSION: version,
                    CODE_VERSION: str(result.promotion_id),
                    **{name: tag for each in upstream for name, tag in _input(instance, each).items()},
                },
            )


def _input(instance: DagsterInstance, key: AssetKey) -> Mapping[str, str]:
    """The tags that name an asset's last materialisation as an input."""
    records = instance.fetch_materializations(key, limit=1).records
    made = records[0].asset_materialization if records else None
    version = NEVER_MADE if made is None else (made.tags or {}).get(DATA_VERSION, UNVERSIONED)
    name = key.to_user_string()
    return {
        f"{INPUT_VERSION}/{name}": version,
        f"{INPUT_EVENT}/{name}": str(records[0].storage_id) if records else NEVER_MADE,
    }


def outcome_metadata(result: PromotionResult, plan_digest: str) -> dict[str, MetadataValue]:
    """The figures of a result."""
    return {
        "outcome": MetadataValue.text(result.state.value),
        "promotion": MetadataValue.text(str(result.promotion_id)),
        "plan digest": MetadataValue.text(plan_digest),
        "path": MetadataValue.text(path_name(result.source_environment, result.target_environment)),
        "items": MetadataValue.int(result.success_count),
        "errors": MetadataValue.int(result.error_count),
        "bytes": MetadataValue.int(result.bytes),
        "points": MetadataValue.int(result.points),
        "seconds": MetadataValue.float(round(result.duration_seconds, 2)),
    }
