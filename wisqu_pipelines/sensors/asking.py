"""The sensor that asks for decisions."""

from dagster import DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor

from wisqu_pipelines.resources.wisqu import WisquResource


@sensor(
    name="asking_sensor",
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.RUNNING,
    description="Writes a message to those who may decide on a sweep or an erasure that waits, once each.",
)
def asking_sensor(_context: SensorEvaluationContext, wisqu: WisquResource) -> SkipReason:
    """Ask for what waits; a tick that was lost is made up for by the next one."""
    services = wisqu.services
    new = services.asking.for_erasures(services.erasures)
    for environment in services.environments:
        new += services.asking.for_sweeps(services.retention(environment), environment)
    return SkipReason(f"{new} people were asked.")
