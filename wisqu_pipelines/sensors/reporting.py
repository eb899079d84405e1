"""When metrics are read, and when the report is made: by the clocks that the settings name."""

from typing import Any

from dagster import DefaultScheduleStatus, ScheduleDefinition

from wisqu_pipelines.jobs.weekly import weekly_report
from wisqu_pipelines.settings import MetricsSettings


def metric_schedules(job: Any, times: MetricsSettings) -> list[ScheduleDefinition]:
    """The schedules of the snapshots and of the report; both run from the start, as they change nothing else.

    Args:
        job: What takes the snapshots.
        times: When.
    """
    return [
        ScheduleDefinition(
            name="daily_metrics",
            job=job,
            cron_schedule=times.daily,
            execution_timezone=times.time_zone,
            default_status=DefaultScheduleStatus.RUNNING,
            description="Keeps a snapshot of all metrics every day.",
        ),
        ScheduleDefinition(
            name="weekly_report",
            job=weekly_report,
            cron_schedule=times.weekly,
            execution_timezone=times.time_zone,
            default_status=DefaultScheduleStatus.RUNNING,
            description="Writes the report of the last seven days once a week.",
        ),
    ]
