"""The sensors that tell people: of runs that failed, of inventories that are old; and the one that sends it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from dagster import (
    AssetKey,
    AssetsDefinition,
    DagsterRun,
    DefaultSensorStatus,
    RunFailureSensorContext,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    run_failure_sensor,
    sensor,
)

from wisqu_pipelines.assets.tags import ENVIRONMENT, PATH, PROMOTION
from wisqu_pipelines.notifications.events import Event
from wisqu_pipelines.resources.outcomes import OUTCOME_TAG
from wisqu_pipelines.resources.wisqu import WisquResource

OLD = timedelta(hours=26)
"""An inventory is taken every day; two hours are for the run."""
DAGSTERS_OWN = "__"
"""With which the name of a job begins that is not ours."""
ASSETS_NAMED = 3
WILL_RETRY = "dagster/will_retry"
"""Whether Dagster retries a run that has failed; it says so with the failure."""
TRIED_AGAIN = "Dagster tries it again by itself, and there is no further word if that succeeds."


@run_failure_sensor(
    name="failed_runs_sensor",
    minimum_interval_seconds=15,
    default_status=DefaultSensorStatus.RUNNING,
    description="Writes a message when a run has failed, or was refused by a rule.",
)
def failed_runs_sensor(context: RunFailureSensorContext, wisqu: WisquResource) -> None:
    """One message an hour for the same job, subject and error."""
    run = context.dagster_run
    services = wisqu.services
    code, sentence = _error(context)
    about = [run.tags[tag] for tag in (PATH, ENVIRONMENT, PROMOTION) if tag in run.tags]
    name = _assets_of(run) or " ".join([run.job_name, *about[:1]])
    services.notifications.post(
        Event.RUN_REFUSED if run.tags.get(OUTCOME_TAG) == "refused" else Event.RUN_FAILED,
        "\0".join([name, code, *about]),
        job=name,
        error=f"{sentence.rstrip('.')}. {TRIED_AGAIN}" if run.tags.get(WILL_RETRY) == "true" else sentence,
        link=services.settings.dagster.run_url(run.run_id),
    )


@sensor(
    name="notifications_sensor",
    minimum_interval_seconds=15,
    default_status=DefaultSensorStatus.RUNNING,
    description="Sends the messages that are due to the targets of the settings.",
)
def notifications_sensor(context: SensorEvaluationContext, wisqu: WisquResource) -> SkipReason:
    """Send what is due. What a target does not take is tried again later."""
    delivered, troubles = wisqu.services.notifications.deliver()
    for trouble in troubles:
        context.log.warning("%s", trouble)
    return SkipReason("; ".join([f"{delivered} messages were delivered.", *troubles]))


def freshness_sensor(inventories: Sequence[AssetsDefinition]) -> SensorDefinition:
    """The sensor that looks at the age of these assets."""
    keys = [key for each in inventories for key in each.keys]

    @sensor(
        name="freshness_sensor",
        minimum_interval_seconds=900,
        default_status=DefaultSensorStatus.RUNNING,
        description="Writes a message of each inventory that was not taken for 26 hours.",
    )
    def freshness(context: SensorEvaluationContext, wisqu: WisquResource) -> SensorResult | SkipReason:
        first_seen = float(context.cursor or wisqu.services.clock.now().timestamp())
        old = _old(context, keys, wisqu.services.clock.now(), datetime.fromtimestamp(first_seen, UTC))
        for key, since in old.items():
            wisqu.services.notifications.post(
                Event.STALE,
                f"{key.to_user_string()} {since.isoformat()}",
                once=True,
                asset=key.to_user_string(),
                since=f"{since:%Y-%m-%d %H:%M} UTC",
                every="day",
            )
        told = f"{len(old)} of {len(keys)} inventories are old."
        return SensorResult(skip_reason=SkipReason(told), cursor=str(first_seen))

    return freshness


def _old(
    context: SensorEvaluationContext, keys: Sequence[AssetKey], now: datetime, first_seen: datetime
) -> dict[AssetKey, datetime]:
    """When each asset that is old was last made. One that never was counts from the sensor's first tick."""
    old = {}
    for key in keys:
        event = context.instance.get_latest_materialization_event(key)
        made = first_seen if event is None else datetime.fromtimestamp(event.timestamp, UTC)
        if now - made > OLD:
            old[key] = made
    return old


def _assets_of(run: DagsterRun) -> str:
    """The assets of a run of Dagster's own job for them, whose name says nothing to anybody; nothing for other runs."""
    if not run.job_name.startswith(DAGSTERS_OWN):
        return ""
    keys = {*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())}
    names = sorted(key.to_user_string() for key in keys)
    more = len(names) - ASSETS_NAMED
    return ", ".join(names[:ASSETS_NAMED]) + (f" and {more} more" if more > 0 else "")


def _error(context: RunFailureSensorContext) -> tuple[str, str]:
    """What kind of error ended the run, and its sentence."""
    for event in context.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        if failure is not None:
            code = failure.metadata.get("error")
            return str(code.value if code is not None else failure.label), failure.description or ""
        error = event.step_failure_data.error
        if error is not None:
            inner = error.cause or error
            return str(inner.cls_name), inner.message.strip()
    return "run", context.failure_event.message or "The run's process ended without a word."
