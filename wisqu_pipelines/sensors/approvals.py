"""The approvals sensor: starts what people have approved, or asked to be rolled back."""

from dagster import (
    DefaultSensorStatus,
    RunRequest,
    SensorEvaluationContext,
    SensorResult,
    sensor,
)

from wisqu_pipelines.assets.tags import PROMOTION
from wisqu_pipelines.jobs.promotion import promotion_execute, promotion_rollback
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.sensors.earlier import answer, decided

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
    now = services.clock.now()
    requests: list[RunRequest] = []
    left_alone: list[str] = []
    for job, op_name, wanted in (
        (promotion_execute, "execute_promotion", services.promotions.ready()),
        (promotion_rollback, "rollback_promotion", services.promotions.rollbacks_requested()),
    ):
        found = decided(context.instance, job.name, PROMOTION, wanted, now)
        left_alone += found.left_alone
        requests += [
            RunRequest(
                run_key=attempt.run_key,
                job_name=job.name,
                run_config={"ops": {op_name: {"config": {"promotion_id": str(attempt.id)}}}},
                tags={PROMOTION: str(attempt.id)},
            )
            for attempt in found.attempts
        ]
    return answer(requests, left_alone, "Nothing waits for a run.")
