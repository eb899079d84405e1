"""The approvals sensor: starts what people have approved, or asked to be rolled back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from dagster import (
    DagsterInstance,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from wisqu_pipelines.jobs.promotion import promotion_execute, promotion_rollback
from wisqu_pipelines.jobs.tags import PROMOTION
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.sensors.decision import EarlierRun, decide

SECONDS_BETWEEN_TICKS = 5


@sensor(
    jobs=[promotion_execute, promotion_rollback],
    minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
    default_status=DefaultSensorStatus.RUNNING,
    description="Starts promotions that enough people have approved, and rollbacks that a person has asked for.",
)
def approvals_sensor(context: SensorEvaluationContext, wisqu: WisquResource) -> SensorResult:
    """Ask the control database what waits for a run, and request the runs."""
    services = wisqu.services
    requests: list[RunRequest] = []
    left_alone: list[str] = []
    for job, op_name, wanted in (
        (promotion_execute, "execute_promotion", services.promotions.ready()),
        (promotion_rollback, "rollback_promotion", services.promotions.rollbacks_requested()),
    ):
        decided = decide(job.name, wanted, earlier_runs(context.instance, job.name, wanted, services.clock.now()))
        left_alone += decided.left_alone
        requests += [
            RunRequest(
                run_key=attempt.run_key,
                job_name=job.name,
                run_config={"ops": {op_name: {"config": {"promotion_id": str(attempt.promotion_id)}}}},
                tags={PROMOTION: str(attempt.promotion_id)},
            )
            for attempt in decided.attempts
        ]
    if requests:
        return SensorResult(run_requests=requests)
    return SensorResult(skip_reason=SkipReason("; ".join(left_alone) or "Nothing waits for a run."))


def earlier_runs(
    instance: DagsterInstance, job_name: str, promotions: Sequence[UUID], now: datetime
) -> Mapping[UUID, Sequence[EarlierRun]]:
    """The runs of a job that there were for each promotion."""
    if not promotions:
        return {}
    runs: dict[UUID, list[EarlierRun]] = defaultdict(list)
    wanted = RunsFilter(job_name=job_name, tags={PROMOTION: [str(each) for each in promotions]})
    for record in instance.get_run_records(wanted):
        finished = record.dagster_run.is_finished
        ended = max(0.0, now.timestamp() - (record.end_time or now.timestamp())) if finished else None
        runs[UUID(record.dagster_run.tags[PROMOTION])].append(EarlierRun(ended))
    return runs
