"""The inventory assets: materialising one reads its store and reports what lies there."""

from collections.abc import Sequence
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSelection,
    MaterializeResult,
    MetadataValue,
    asset,
    define_asset_job,
)

from wisqu_pipelines.assets import keys, markdown
from wisqu_pipelines.assets.tags import ENVIRONMENT, HOUR, MAX_RUNTIME, op_tags, tag_asset_run
from wisqu_pipelines.catalog.inventory import Inventory, count_table, count_vectors
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.settings import Declared

LONGEST_HOURS = 1


def inventory_assets(declared: Declared) -> list[AssetsDefinition]:
    """Every kind of asset for every environment."""
    return [
        _inventory_asset(declared, environment, kind)
        for environment in declared.environments
        for kind in keys.KINDS.values()
    ]


def inventory_job(inventories: Sequence[AssetsDefinition]) -> Any:
    """The job that takes every inventory."""
    return define_asset_job(
        "inventory",
        selection=AssetSelection.assets(*inventories).without_checks(),
        tags={MAX_RUNTIME: str(LONGEST_HOURS * HOUR)},
        description="Count what lies in every environment's stores. It changes nothing.",
    )


def inventory_metadata(inventory: Inventory) -> dict[str, MetadataValue]:
    """An inventory as Dagster shows it: a plot for each total, and the breakdown as a table."""
    totals = {f"wisqu/{name}": MetadataValue.int(total) for name, total in inventory.totals.items()}
    rows = inventory.totals.get("rows", inventory.totals.get("points", 0))
    breakdown = markdown.table(inventory.columns, inventory.breakdown) if inventory.breakdown else "Nothing is there."
    return {"dagster/row_count": MetadataValue.int(rows), **totals, "breakdown": MetadataValue.md(breakdown)}


def _inventory_asset(declared: Declared, environment: str, kind: keys.Kind) -> AssetsDefinition:
    @asset(
        key=keys.key(environment, kind.name),
        deps=keys.upstream_keys(declared, environment, kind),
        description=kind.description,
        group_name=environment,
        kinds=set(kind.kinds),
        owners=[keys.OWNER],
        metadata=keys.links(declared, kind.page),
        tags={ENVIRONMENT: environment},
        op_tags=op_tags(LONGEST_HOURS, environment),
        pool=keys.pool(environment),
    )
    def inventory(context: AssetExecutionContext, wisqu: WisquResource) -> MaterializeResult[None]:
        tag_asset_run(context)
        with told_as_outcome(context.instance, context.run.run_id):
            services = wisqu.services
            taken = (
                count_vectors(services.environments[environment], services.settings.collections)
                if kind.name == keys.VECTORS
                else count_table(services.environments[environment], kind.name)
            )
        return MaterializeResult(metadata=inventory_metadata(taken))

    return inventory
