"""The jobs that look after the audit, and after Dagster's own history."""

from datetime import timedelta

from dagster import (
    DagsterRunStatus,
    Failure,
    Field,
    Int,
    MetadataValue,
    Nothing,
    OpExecutionContext,
    Out,
    Output,
    RunsFilter,
    job,
    op,
)

from wisqu_pipelines.assets.tags import HOUR, MAX_RUNTIME
from wisqu_pipelines.figures import counted
from wisqu_pipelines.notifications.events import Event
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource

POOL = "housekeeping"
KEPT_DAYS = 90
AT_ONCE = 100
ENDED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)


@op(out={"sealed": Out(Nothing)}, pool=POOL)
def verify_audit(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
    """Read every audit chain; seal those that hold, and tell people of those that do not."""
    with told_as_outcome(context.instance, context.run_id):
        services = wisqu.services
        sealed = services.checkpoints.verify_and_seal()
        lines = ["| database | rows | checkpoints | restores | sealed as |", "|---|---|---|---|---|"]
        broken, unread = [], []
        for each in sealed:
            rows = sum(chain.rows for chain in each.report.chains)
            restores = len(each.report.restores)
            lines.append(
                f"| {each.report.environment} | {rows} | {each.checkpoints} | {restores} | {each.key or '**not**'} |"
            )
            if each.report.unread is not None:
                unread.append(f"{each.report.environment}: {each.report.unread}")
            findings = [str(finding) for chain in each.report.chains for finding in chain.findings]
            if findings:
                broken.append(each.report.environment)
                services.notifications.post(
                    Event.AUDIT_BROKEN, each.report.environment, where=each.report.environment, what="\n".join(findings)
                )
    table = MetadataValue.md("\n".join(lines))
    if broken:
        raise Failure(
            description=f"The audit of {', '.join(broken)} does not hold: 'wisqu audit verify' says where.",
            metadata={"audit": table},
            allow_retries=False,
        )
    if unread:
        raise Failure(
            description=f"Not every database could be read, the others are sealed. {' '.join(unread)}",
            metadata={"audit": table},
            allow_retries=False,
        )
    return Output(None, metadata={"audit": table})


@job(
    name="audit_verification",
    tags={MAX_RUNTIME: str(12 * HOUR)},
    description="Read every audit chain from its first row to its last, against what was sealed of it before, and seal "
    "how it stands now: signed, in a bucket whose objects nobody can delete for ten years.",
)
def audit_verification() -> None:
    """What the monthly schedule runs."""
    verify_audit()


@op(
    config_schema={
        "days": Field(Int, default_value=KEPT_DAYS, description="Runs that ended longer ago are deleted."),
        "dry_run": Field(bool, default_value=True, description="Only count them."),
    },
    out={"purged": Out(Nothing)},
    pool=POOL,
)
def purge_runs(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
    """Delete old runs with their events; what is known of assets from them goes as well."""
    days, dry_run = context.op_config["days"], context.op_config["dry_run"]
    if days < 1:
        raise Failure(description=f"{days} days: at least the last day's runs stay.", allow_retries=False)
    before = wisqu.services.clock.now() - timedelta(days=days)
    old = RunsFilter(statuses=list(ENDED), updated_before=before)
    if dry_run:
        return Output(None, metadata={"runs": context.instance.get_runs_count(old), "dry run": True})
    purged = 0
    while ids := context.instance.get_run_ids(old, limit=AT_ONCE):
        for run_id in ids:
            context.instance.delete_run(run_id)
        purged += len(ids)
        context.log.info("purged %s", counted(purged, "run"))
    return Output(None, metadata={"runs": purged, "dry run": False})


@job(
    name="run_purge",
    tags={MAX_RUNTIME: str(HOUR)},
    config={"ops": {"purge_runs": {"config": {"days": KEPT_DAYS, "dry_run": True}}}},
    description=f"Delete Dagster's own runs that ended more than {KEPT_DAYS} days ago. It begins as a dry run.",
)
def run_purge() -> None:
    """What the nightly schedule runs."""
    purge_runs()
