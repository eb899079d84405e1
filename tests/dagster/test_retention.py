"""The job `retention_cleanup` and its nightly schedules."""

from datetime import UTC, datetime

from dagster import DefaultScheduleStatus, build_schedule_context

from tests.dagster.conftest import World, failure_of, output_metadata
from tests.retention.conftest import OLD, Rows
from wisqu_pipelines import definitions
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.resources.outcomes import OUTCOME_TAG

JOB, OP = "retention_cleanup", "sweep"


def test_it_begins_as_a_dry_run(world: World) -> None:
    rows = Rows(world.services)
    rows.document(OLD)
    result = world.run(JOB, OP, {"environment": "dev"})
    assert result.success, failure_of(result)
    shown = output_metadata(result)
    assert (shown["rows"], shown["dry run"]) == (2, True)
    assert "rag_documents" in shown["what"]
    assert len(rows.visible(RagDocument)) == 1


def test_it_hides_and_later_purges(world: World) -> None:
    rows = Rows(world.services)
    rows.document(OLD)
    config = {"environment": "dev", "dry_run": False}
    shown = output_metadata(world.run(JOB, OP, config))
    assert (shown["rows"], shown["dry run"]) == (2, False)
    assert rows.visible(RagDocument) == set()
    (sweep,) = rows.retention.list()
    assert sweep.sweep_id is not None
    assert shown["sweep"] == str(sweep.sweep_id)
    rows.end_grace(sweep.sweep_id)
    again = output_metadata(world.run(JOB, OP, config))
    assert again["rows of earlier sweeps purged"] == 2
    assert rows.stored() == (0, 0)


def test_prod_is_refused(world: World) -> None:
    rows = Rows(world.services, "prod")
    rows.document(OLD)
    result = world.run(JOB, OP, {"environment": "prod", "dry_run": False})
    assert not result.success
    run = world.instance.get_run_by_id(result.run_id)
    assert run
    assert run.tags[OUTCOME_TAG] == "refused"
    assert len(rows.visible(RagDocument)) == 1


def test_a_sweep_begins_by_itself_only_where_the_policy_says_so() -> None:
    loaded = definitions.wisqu_pipelines().get_repository_def()
    found = {each.name: each for each in loaded.schedule_defs if each.name.startswith("retention_")}
    assert set(found) == {"retention_dev_schedule", "retention_stage_schedule", "retention_prod_schedule"}
    for name, schedule in found.items():
        assert schedule.default_status == DefaultScheduleStatus.RUNNING
        assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "UTC")
        context = build_schedule_context(scheduled_execution_time=datetime(2026, 3, 29, 2, tzinfo=UTC))
        (asked,) = schedule.evaluate_tick(context).run_requests or ()
        config = asked.run_config["ops"]["sweep"]["config"]
        environment = name.split("_")[1]
        assert config == {"environment": environment, "dry_run": False, "begin": environment != "prod"}
