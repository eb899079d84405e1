"""The sensors that ask for promotions: of what has been approved for a while, and of what CI's tests let through."""

from dagster import (
    DefaultSensorStatus,
    JobDefinition,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    sensor,
)

from wisqu_pipelines.assets.tags import DELIVERY, PATH
from wisqu_pipelines.jobs.automation import promotion_after_tests
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.sensors.earlier import answer, decided
from wisqu_pipelines.settings import path_name

WHY = "all that is approved, and no more of it for a while"


def approved_items_sensor(job: JobDefinition) -> SensorDefinition:
    """The sensor that starts `job`, which makes previews."""

    @sensor(
        name="approved_items_sensor",
        job=job,
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.RUNNING,
        description="Previews what has been approved for automation.preview_after_minutes and has no preview yet.",
    )
    def approved_items(wisqu: WisquResource) -> SensorResult:
        requests = [
            RunRequest(
                run_key=f"{job.name}:{path_name(wish.source, wish.target)}:{wish.since.isoformat()}",
                run_config={
                    "ops": {
                        "request_promotion": {
                            "config": {
                                "source_environment": wish.source,
                                "target_environment": wish.target,
                                "reason": WHY,
                            }
                        }
                    }
                },
                tags={PATH: path_name(wish.source, wish.target)},
            )
            for wish in wisqu.services.automation.wishes()
        ]
        return answer(requests, (), "Nothing has waited for a preview long enough.")

    return approved_items


@sensor(
    name="ci_results",
    job=promotion_after_tests,
    minimum_interval_seconds=15,
    default_status=DefaultSensorStatus.RUNNING,
    description="Starts what follows from the results that CI has posted.",
)
def ci_results_sensor(context: SensorEvaluationContext, wisqu: WisquResource) -> SensorResult:
    """A run for each delivery that nothing has followed from yet."""
    services = wisqu.services
    wanted = services.automation.unhandled()
    found = decided(context.instance, promotion_after_tests.name, DELIVERY, wanted, services.clock.now())
    requests = [
        RunRequest(
            run_key=attempt.run_key,
            run_config={"ops": {"promote_after_tests": {"config": {"delivery_id": str(attempt.id)}}}},
            tags={DELIVERY: str(attempt.id)},
        )
        for attempt in found.attempts
    ]
    return answer(requests, found.left_alone, "CI has said nothing new.")
