"""The runs that there were for a thing, by the tag that names it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from dagster import DagsterInstance, RunsFilter

from wisqu_pipelines.sensors.decision import EarlierRun


def earlier_runs(
    instance: DagsterInstance, job_name: str, tag: str, ids: Sequence[UUID], now: datetime
) -> Mapping[UUID, Sequence[EarlierRun]]:
    """The runs of a job that there were for each of the things whose ids a tag carries."""
    if not ids:
        return {}
    runs: dict[UUID, list[EarlierRun]] = defaultdict(list)
    wanted = RunsFilter(job_name=job_name, tags={tag: [str(each) for each in ids]})
    for record in instance.get_run_records(wanted):
        finished = record.dagster_run.is_finished
        ended = max(0.0, now.timestamp() - (record.end_time or now.timestamp())) if finished else None
        runs[UUID(record.dagster_run.tags[tag])].append(EarlierRun(ended))
    return runs
