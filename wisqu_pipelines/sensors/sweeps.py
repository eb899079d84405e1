"""The sweeps sensor: goes on with the sweeps that people have approved."""

from dagster import (
    DefaultSensorStatus,
    JobDefinition,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    sensor,
)

from wisqu_pipelines.assets.tags import ENVIRONMENT, SWEEP
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.sensors.earlier import answer, decided

SECONDS_BETWEEN_TICKS = 30


def sweeps_sensor(job: JobDefinition) -> SensorDefinition:
    """The sensor, which starts `job`."""

    @sensor(
        name="sweeps_sensor",
        job=job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Hides what the sweeps list that people have approved.",
    )
    def approved(context: SensorEvaluationContext, wisqu: WisquResource) -> SensorResult:
        services = wisqu.services
        requests: list[RunRequest] = []
        left_alone: list[str] = []
        for environment in services.environments:
            wanted = services.retention(environment).approved()
            found = decided(context.instance, job.name, SWEEP, wanted, services.clock.now())
            left_alone += found.left_alone
            config = {"environment": environment, "dry_run": False, "begin": False}
            requests += [
                RunRequest(
                    run_key=attempt.run_key,
                    run_config={"ops": {"sweep": {"config": config}}},
                    tags={ENVIRONMENT: environment, SWEEP: str(attempt.id)},
                )
                for attempt in found.attempts
            ]
        return answer(requests, left_alone, "No approved sweep waits.")

    return approved
