"""What Dagster loads: every asset, check, job and sensor. Nothing is connected here, and no secret is needed."""

import os

from dagster import Definitions, ExecutorDefinition, definitions, in_process_executor, multiprocess_executor

from wisqu_pipelines import settings
from wisqu_pipelines.assets.checks import audit_job, storage_checks
from wisqu_pipelines.assets.inventory import inventory_assets, inventory_job
from wisqu_pipelines.assets.metrics import metric_assets, metric_job
from wisqu_pipelines.assets.scans import scan_assets, scan_job
from wisqu_pipelines.assets.verified import verification_checks
from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.jobs.automation import promotion_after_tests, request_job
from wisqu_pipelines.jobs.erasure import erase_person
from wisqu_pipelines.jobs.expiry import test_account_expiry
from wisqu_pipelines.jobs.housekeeping import audit_verification, run_purge
from wisqu_pipelines.jobs.lapse import promotion_lapse
from wisqu_pipelines.jobs.promotion import promotion_jobs
from wisqu_pipelines.jobs.retention import retention_job
from wisqu_pipelines.jobs.weekly import weekly_report
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.sensors.approvals import approvals_sensor
from wisqu_pipelines.sensors.asking import asking_sensor
from wisqu_pipelines.sensors.automation import approved_items_sensor, ci_results_sensor
from wisqu_pipelines.sensors.notifications import failed_runs_sensor, freshness_sensor, notifications_sensor
from wisqu_pipelines.sensors.schedules import schedules
from wisqu_pipelines.sensors.sweeps import sweeps_sensor

EXECUTOR_VARIABLE = "WISQU_DAGSTER_EXECUTOR"
EXECUTORS = {"in_process": in_process_executor, "multiprocess": multiprocess_executor}
"""Every run has a process of its own already; one more for each step costs seconds, and is worth it for many steps."""


@definitions
def wisqu_pipelines() -> Definitions:
    """The definitions for the declared environments.

    Raises:
        BadSettings: the settings file is missing or malformed, or no such executor is known.
    """
    declared = settings.declared()
    checks = storage_checks(declared)
    scans = scan_assets(declared)
    inventories = inventory_assets(declared)
    cleanup = retention_job(declared.environments)
    request = request_job(declared)
    metrics = metric_assets(declared)
    return Definitions(
        assets=[*inventories, *scans, *metrics],
        asset_checks=[*checks, *verification_checks(declared)],
        jobs=[
            *promotion_jobs(declared),
            request,
            promotion_after_tests,
            scan_job(scans),
            inventory_job(inventories),
            audit_job(checks),
            cleanup,
            test_account_expiry,
            audit_verification,
            promotion_lapse,
            run_purge,
            metric_job(metrics),
            weekly_report,
            erase_person,
        ],
        schedules=list(schedules(declared)),
        sensors=[
            approvals_sensor,
            sweeps_sensor(cleanup),
            asking_sensor,
            approved_items_sensor(request),
            ci_results_sensor,
            failed_runs_sensor,
            freshness_sensor(inventories),
            notifications_sensor,
        ],
        resources={"wisqu": WisquResource()},
        executor=chosen_executor(),
    )


def chosen_executor() -> ExecutorDefinition:
    """The executor that the environment variable names; jobs name none.

    Raises:
        BadSettings: it names another than those that are known.
    """
    name = os.environ.get(EXECUTOR_VARIABLE, "in_process")
    try:
        return EXECUTORS[name]
    except KeyError:
        raise BadSettings(message=f"{EXECUTOR_VARIABLE} is {name}; it can be {', '.join(EXECUTORS)}") from None
