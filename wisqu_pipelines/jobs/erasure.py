"""The job that carries out an approved erasure, as the launchpad runs it."""

from typing import Any
from uuid import UUID

from dagster import Field, MetadataValue, Nothing, OpExecutionContext, Out, Output, job, op

from wisqu_pipelines.assets.progress import LoggedProgress
from wisqu_pipelines.assets.tags import ENVIRONMENT, HOUR, MAX_RUNTIME
from wisqu_pipelines.erasure.models import ErasureState
from wisqu_pipelines.errors import BadInput, printable
from wisqu_pipelines.jobs.waiting import erasures_that_wait
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource

POOL = "erasure"


@op(
    config_schema={
        "erasure_id": Field(
            str,
            default_value="",
            description="As 'wisqu erasure list' shows it; it must be approved. Without one, the run says which wait.",
        ),
        "dry_run": Field(bool, default_value=True, description="Only say what would go now, and what would stop it."),
    },
    out={"result": Out(Nothing)},
    pool=POOL,
)
def erase(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
    """Carry out an erasure that is approved, or finish one that was interrupted; a dry run changes nothing."""
    told: dict[str, MetadataValue[Any]] = {}
    with told_as_outcome(context.instance, context.run_id):
        text = str(context.op_config["erasure_id"]).strip()
        if not text:
            return Output(None, metadata=erasures_that_wait(wisqu.services.erasures.ready()))
        try:
            erasure_id = UUID(text)
        except ValueError:
            raise BadInput(what=f"the erasure '{printable(text)}'", reason="it is no id") from None
        erasures = wisqu.services.erasures
        report = erasures.status(erasure_id)
        context.instance.add_run_tags(context.run_id, {ENVIRONMENT: report.environment})
        dry_run: bool = context.op_config["dry_run"]
        if not dry_run:
            report = erasures.run(erasure_id, progress=LoggedProgress(context.log))
        elif report.state != ErasureState.DONE:
            told["what"] = MetadataValue.md(erasures.preview(report.environment, report.user_id).as_markdown())
    return Output(
        None,
        metadata={
            **told,
            "dry run": MetadataValue.bool(dry_run),
            "state": MetadataValue.text(str(report.state)),
            "erasure": MetadataValue.text(str(report.id)),
            "environment": MetadataValue.text(report.environment),
            "rows": MetadataValue.int(sum(report.rows.values())),
            "certificate's digest": MetadataValue.text(report.digest or ""),
        },
    )


@job(
    name="erase_person",
    tags={MAX_RUNTIME: str(2 * HOUR)},
    description="Carry out an erasure of a person that one has asked for and another one approved, with "
    "'wisqu erasure' or on the approvals' page. It begins by saying which wait for it, and then as a dry run: set "
    "dry_run to false to erase.",
    config={"ops": {"erase": {"config": {"erasure_id": "", "dry_run": True}}}},
)
def erase_person() -> None:
    """The erasure alone."""
    erase()
