"""When the storage audits run."""

from collections.abc import Sequence

from dagster import AssetChecksDefinition, AssetSelection, DefaultScheduleStatus, ScheduleDefinition, define_asset_job

SUNDAY_NIGHT = "0 3 * * 0"


def storage_audit_schedule(checks: Sequence[AssetChecksDefinition]) -> ScheduleDefinition:
    """The job `storage_audit`, which makes these checks, every Sunday at 03:00 UTC.

    It runs from the start: the audit reports and marks, and removes nothing.
    """
    job = define_asset_job(
        "storage_audit",
        selection=AssetSelection.checks(*checks),
        description="Compare rows, objects and points of every environment, and mark what nothing needs. It removes "
        "nothing: a person does that with 'wisqu storage audit ENV --repair'.",
    )
    return ScheduleDefinition(
        name="weekly_storage_audit",
        job=job,
        cron_schedule=SUNDAY_NIGHT,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Audits every environment's stores once a week.",
    )
