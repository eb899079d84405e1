"""What a sensor asks for, with the runs that there were for a thing: a tag names it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from dagster import DagsterInstance, RunRequest, RunsFilter, SensorResult, SkipReason

from wisqu_pipelines.assets.tags import SENSOR
from wisqu_pipelines.sensors.decision import Decided, EarlierRun, decide


def decided(instance: DagsterInstance, job_name: str, tag: str, wanted: Sequence[UUID], now: datetime) -> Decided:
    """Which of the things that wait for a job get a run now."""
    return decide(job_name, wanted, _earlier_runs(instance, job_name, tag, wanted, now))


def answer(requests: Sequence[RunRequest], left_alone: Sequence[str], idle: str) -> SensorResult:
    """What a sensor says: the runs, or why there are none.

    Args:
        requests: The runs.
        left_alone: Why some things get none now.
        idle: What is said if there is nothing at all.
    """
    if requests:
        return SensorResult(run_requests=requests)
    return SensorResult(skip_reason=SkipReason("; ".join(left_alone) or idle))


def _earlier_runs(
    instance: DagsterInstance, job_name: str, tag: str, ids: Sequence[UUID], now: datetime
) -> Mapping[UUID, Sequence[EarlierRun]]:
    """The runs of a job that there were for each of the things whose ids a tag carries: those under way, and those of a
    sensor. What a person launched from the launchpad and was refused is no attempt of ours.
    """
    if not ids:
        return {}
    runs: dict[UUID, list[EarlierRun]] = defaultdict(list)
    wanted = RunsFilter(job_name=job_name, tags={tag: [str(each) for each in ids]})
    for record in instance.get_run_records(wanted):
        finished = record.dagster_run.is_finished
        if finished and SENSOR not in record.dagster_run.tags:
            continue
        ended = max(0.0, now.timestamp() - (record.end_time or now.timestamp())) if finished else None
        runs[UUID(record.dagster_run.tags[tag])].append(EarlierRun(ended))
    return runs
