"""When jobs run by themselves: by cron and time zone of the settings, from the start."""

from collections.abc import Iterator, Mapping
from typing import Any

from dagster import DefaultScheduleStatus, ScheduleDefinition

from wisqu_pipelines.assets.tags import ENVIRONMENT, PATH
from wisqu_pipelines.jobs.housekeeping import KEPT_DAYS
from wisqu_pipelines.settings import Declared, ScheduleSettings, path_name


def schedules(declared: Declared) -> Iterator[ScheduleDefinition]:
    """Every schedule of an installation with these environments and paths."""
    when = declared.schedules
    for environment in declared.environments:
        begins = environment in declared.swept
        what = "Sweeps {} by its policy" if begins else "Hides what approved sweeps of {} list, and begins none"
        yield _schedule(
            f"retention_{environment}",
            "retention_cleanup",
            when.retention,
            f"{what.format(environment)}; purges what was hidden long enough.",
            {"sweep": {"environment": environment, "dry_run": False, "begin": begins}},
            {ENVIRONMENT: environment},
        )
    for source, target, at in declared.requests:
        yield _schedule(
            f"promotion_request_{source}_to_{target}",
            "promotion_request",
            at,
            f"Asks for the promotion of all that is approved in {source} to {target}; people approve it as always.",
            {"request_promotion": {"source_environment": source, "target_environment": target}},
            {PATH: path_name(source, target)},
        )
    yield _schedule(
        "run_purge",
        "run_purge",
        when.run_purge,
        "Deletes Dagster's own runs that ended long ago.",
        {"purge_runs": {"days": KEPT_DAYS, "dry_run": False}},
    )
    yield _schedule(
        "promotion_lapse",
        "promotion_lapse",
        when.promotion_lapse,
        "Refuses promotions that nobody decides on, so that retention has their items again.",
        {"lapse_promotions": {"dry_run": False}},
    )
    yield _schedule(
        "test_account_expiry",
        "test_account_expiry",
        when.test_account_expiry,
        "Deletes expired test accounts, and tells developers which ones end soon.",
        {"expire_test_accounts": {"dry_run": False}},
    )
    for name, at, description in (
        ("storage_audit", when.storage_audit, "Audits every environment's stores, and removes nothing."),
        ("inventory", when.inventory, "Counts what lies in every environment's stores."),
        ("metrics", when.metrics, "Keeps a snapshot of all metrics."),
        ("report", when.report, "Writes the report of the last seven days."),
        ("audit_verification", when.audit_verification, "Reads every audit chain from end to end."),
    ):
        yield _schedule(name, name, at, description)


def _schedule(
    name: str,
    job: str,
    at: ScheduleSettings,
    description: str,
    ops: Mapping[str, Mapping[str, Any]] | None = None,
    tags: Mapping[str, str] | None = None,
) -> ScheduleDefinition:
    config = {"ops": {op: {"config": dict(each)} for op, each in ops.items()}} if ops else {}
    return ScheduleDefinition(
        name=f"{name}_schedule",
        job_name=job,
        cron_schedule=at.cron,
        execution_timezone=at.time_zone,
        run_config=config,
        tags=tags,
        default_status=DefaultScheduleStatus.RUNNING if at.enabled else DefaultScheduleStatus.STOPPED,
        description=description,
    )
