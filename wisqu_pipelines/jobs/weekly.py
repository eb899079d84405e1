"""The job that writes the report, as the weekly schedule and the launchpad run it."""

from typing import Any

from dagster import Field, MetadataValue, Nothing, OpExecutionContext, Out, Output, job, op

from wisqu_pipelines.assets.tags import HOUR, MAX_RUNTIME
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource

POOL = "reports"
WEEK = 7


@op(
    config_schema={"days": Field(int, default_value=WEEK, description="How many days the report is about.")},
    out={"written": Out(Nothing)},
    pool=POOL,
)
def write_report(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
    """Read all metrics, and keep the page in the bucket of the environment that `metrics.environment` names."""
    from wisqu_pipelines.metrics.page import render  # noqa: PLC0415 - only this run needs it
    from wisqu_pipelines.metrics.report import collect  # noqa: PLC0415

    days: int = context.op_config["days"]
    with told_as_outcome(context.instance, context.run_id):
        if not 0 < days <= 366:
            raise BadInput(what="days", reason="it takes 1 to 366")
        metrics = wisqu.services.metrics
        report = collect(metrics, days)
        for name, why in report.missing.items():
            context.log.warning("%s is not in the report: %s", name, why)
        bucket, key = metrics.keep_report(render(report), days)
    metadata: dict[str, MetadataValue[Any]] = {
        "report": MetadataValue.path(f"s3://{bucket}/{key}"),
        "days": MetadataValue.int(days),
        "not read": MetadataValue.text(", ".join(report.missing) or "none"),
    }
    return Output(None, metadata=metadata)


@job(
    name="report",
    tags={MAX_RUNTIME: str(HOUR)},
    description="Write the report of the last days as one HTML page into a bucket. Running it again on the same day "
    "replaces it.",
)
def weekly_report() -> None:
    """What the weekly schedule runs."""
    write_report()
