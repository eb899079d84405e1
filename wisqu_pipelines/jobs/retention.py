"""The job that sweeps by the environments' policies, as the launchpad and the nightly schedules run it."""

from collections.abc import Sequence
from typing import Any

from dagster import (
    Array,
    Enum,
    EnumValue,
    Field,
    JobDefinition,
    MetadataValue,
    Noneable,
    Nothing,
    OpExecutionContext,
    Out,
    Output,
    job,
    op,
)

from wisqu_pipelines.assets.tags import ENVIRONMENT, HOUR, MAX_RUNTIME
from wisqu_pipelines.figures import counted
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.retention.kinds import KINDS
from wisqu_pipelines.retention.report import CleanupReport

POOL = "retention"


def retention_job(environments: Sequence[str]) -> JobDefinition:
    """The job, with the environments that there are.

    Args:
        environments: Their names.
    """
    names = Enum("RetentionEnvironment", [EnumValue(name) for name in environments])
    types = Enum("RetentionType", [EnumValue(name) for name in KINDS])

    @op(
        config_schema={
            "environment": Field(names, description="Which environment."),
            "dry_run": Field(bool, default_value=True, description="Only say what would go."),
            "begin": Field(
                bool,
                default_value=True,
                description="Begin a new sweep; else only hide what approved sweeps list, and purge what is due.",
            ),
            "test_data_only": Field(bool, default_value=False, description="Only test data."),
            "types": Field(Noneable(Array(types)), default_value=None, description="Only these types; none: all."),
        },
        out={"result": Out(Nothing)},
        pool=POOL,
    )
    def sweep(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
        """Hide what is due, and purge what was hidden long enough; a dry run changes nothing."""
        asked: dict[str, Any] = context.op_config
        context.instance.add_run_tags(context.run_id, {ENVIRONMENT: asked["environment"]})
        with told_as_outcome(context.instance, context.run_id):
            retention = wisqu.services.retention(asked["environment"])
            if asked["dry_run"]:
                return Output(
                    None, metadata=_metadata(retention.rehearse(asked["types"], test_data_only=asked["test_data_only"]))
                )
            if asked["begin"]:
                done = retention.run(asked["types"], test_data_only=asked["test_data_only"])
                told, earlier = _metadata(done), done.earlier
            else:
                told, earlier = {}, tuple(retention.go_on())
            for each in earlier:
                context.log.info(
                    "the sweep %s is %s: %s hidden, %d purged now%s",
                    each.sweep_id,
                    each.state,
                    counted(each.hidden, "row"),
                    each.purged_now,
                    f"; {each.because}" if each.because else "",
                )
        purged = MetadataValue.int(sum(each.purged_now for each in earlier))
        return Output(None, metadata={**told, "rows of earlier sweeps purged": purged})

    @job(
        name="retention_cleanup",
        description="Hide what nobody promoted and its time is over, and purge what was hidden before the grace time. "
        "It begins as a dry run: set dry_run to false to hide. Where nothing is swept by itself, a person begins a "
        "sweep with 'wisqu cleanup'.",
        config={"ops": {"sweep": {"config": {"environment": environments[0], "dry_run": True}}}},
        tags={MAX_RUNTIME: str(4 * HOUR)},
    )
    def cleanup() -> None:
        sweep()

    return cleanup


def _metadata(done: CleanupReport) -> dict[str, MetadataValue[Any]]:
    from wisqu_pipelines.assets.charts import embedded  # noqa: PLC0415 - drawing is slow to import
    from wisqu_pipelines.jobs.sweep_picture import picture  # noqa: PLC0415

    report = done.sweep
    drawn = embedded(picture(report), f"what goes from {report.environment}, how old it is, and what stays")
    told: dict[str, MetadataValue[Any]] = {
        "what": MetadataValue.md(f"{done.as_markdown()}\n\n{drawn}"),
        "rows": MetadataValue.int(report.rows),
        "dry run": MetadataValue.bool(report.is_dry_run),
    }
    if report.sweep_id is not None:
        told["sweep"] = MetadataValue.text(str(report.sweep_id))
    if report.stopped:
        told["the cap says"] = MetadataValue.text(report.stopped)
    return told
