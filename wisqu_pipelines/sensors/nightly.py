"""When the environments that are cleaned up by themselves are."""

from dagster import DefaultScheduleStatus, JobDefinition, ScheduleDefinition

from wisqu_pipelines.jobs.tags import ENVIRONMENT

EVERY_NIGHT = "0 2 * * *"


def retention_schedule(job: JobDefinition, environment: str) -> ScheduleDefinition:
    """The schedule of one environment, every night at 02:00 UTC; it runs from the start."""
    config = {"ops": {"sweep": {"config": {"environment": environment, "dry_run": False}}}}
    return ScheduleDefinition(
        name=f"nightly_retention_{environment}",
        job=job,
        cron_schedule=EVERY_NIGHT,
        execution_timezone="UTC",
        run_config=config,
        tags={ENVIRONMENT: environment},
        default_status=DefaultScheduleStatus.RUNNING,
        description=f"Sweeps {environment} by its policy every night.",
    )
