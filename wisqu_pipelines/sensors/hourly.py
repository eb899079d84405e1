"""When expired test accounts are deleted."""

from dagster import DefaultScheduleStatus, ScheduleDefinition

from wisqu_pipelines.jobs.expiry import test_account_expiry

EVERY_HOUR = "5 * * * *"

expiry_schedule = ScheduleDefinition(
    name="hourly_test_account_expiry",
    job=test_account_expiry,
    cron_schedule=EVERY_HOUR,
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Deletes expired test accounts five minutes past every hour.",
)
