"""The job that carries out an approved erasure, as the launchpad runs it."""

from uuid import UUID

from dagster import Field, MetadataValue, Nothing, OpExecutionContext, Out, Output, job, op

from wisqu_pipelines.assets.tags import HOUR, MAX_RUNTIME
from wisqu_pipelines.errors import BadInput, printable
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource

POOL = "erasure"


@op(
    config_schema={"erasure_id": Field(str, description="As 'wisqu erasure list' shows it; it must be approved.")},
    out={"result": Out(Nothing)},
    pool=POOL,
)
def erase(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
    """Carry out an erasure that is approved, or finish one that was interrupted."""
    with told_as_outcome(context.instance, context.run_id):
        text = str(context.op_config["erasure_id"])
        try:
            erasure_id = UUID(text)
        except ValueError:
            raise BadInput(what=f"the erasure '{printable(text)}'", reason="it is no id") from None
        report = wisqu.services.erasures.run(erasure_id)
    return Output(
        None,
        metadata={
            "erasure": MetadataValue.text(str(report.id)),
            "environment": MetadataValue.text(report.environment),
            "rows": MetadataValue.int(sum(report.rows.values())),
            "certificate's digest": MetadataValue.text(report.digest or ""),
        },
    )


@job(
    name="erase_person",
    tags={MAX_RUNTIME: str(2 * HOUR)},
    description="Carry out an erasure of a person that two people have asked for and approved with 'wisqu erasure'.",
)
def erase_person() -> None:
    """The erasure alone."""
    erase()
