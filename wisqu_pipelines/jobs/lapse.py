"""The job that ends promotions which nobody decides on."""

from dagster import Field, MetadataValue, Nothing, OpExecutionContext, Out, Output, job, op

from wisqu_pipelines.assets.tags import HOUR, MAX_RUNTIME
from wisqu_pipelines.jobs.promotion import POOL
from wisqu_pipelines.jobs.waiting import promotions_table
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource


@op(
    config_schema={"dry_run": Field(bool, default_value=True, description="Only say which would be refused.")},
    out={"lapsed": Out(Nothing)},
    pool=POOL,
)
def lapse_promotions(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
    """Refuse the promotions that have waited for `automation.lapse_days`."""
    dry_run: bool = context.op_config["dry_run"]
    with told_as_outcome(context.instance, context.run_id):
        services = wisqu.services
        ids = services.lapsing.over() if dry_run else services.lapsing.lapse()
        table = promotions_table(services.promotions, ids)
    return Output(
        None,
        metadata={
            "promotions": MetadataValue.int(len(ids)),
            "dry run": MetadataValue.bool(dry_run),
            "days": MetadataValue.int(services.settings.automation.lapse_days),
            "which": table,
        },
    )


@job(
    name="promotion_lapse",
    config={"ops": {"lapse_promotions": {"config": {"dry_run": True}}}},
    tags={MAX_RUNTIME: str(HOUR)},
    description="Refuse promotions that have waited for too long for a decision, or for a run; retention has their "
    "items again then. It begins as a dry run: set dry_run to false to refuse them.",
)
def promotion_lapse() -> None:
    """What the daily schedule runs."""
    lapse_promotions()
