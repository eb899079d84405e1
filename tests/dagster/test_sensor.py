"""The approvals sensor on a real control database."""

from pathlib import Path

import pytest
from dagster import DagsterRunStatus

from tests.dagster.conftest import World, execute_job, failure_of, launch, tick
from wisqu_pipelines.assets.tags import SENSOR
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.sensors.decision import MAX_ATTEMPTS


@pytest.fixture
def filled(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    world.add_documents(folder, ["one.txt"])


def test_only_what_is_approved_is_started_and_only_once(world: World, filled: None) -> None:
    promotion_id = world.preview("rag_documents")
    assert not tick(world)
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
    (request,) = tick(world)
    assert request.job_name == "promotion_execute"
    assert request.run_key == f"promotion_execute:{promotion_id}:0"
    assert request.tags["wisqu/promotion"] == str(promotion_id)
    assert launch(world, request)
    assert not tick(world)


def test_an_asked_for_rollback_is_started_once(world: World, filled: None) -> None:
    promotion_id = world.preview("rag_documents")
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
    execute_job(world, "promotion_execute", "execute_promotion", promotion_id)
    assert not tick(world)
    world.services.promotions.request_rollback(promotion_id, demo_people.DEVELOPER, "not yet")
    (request,) = tick(world)
    assert request.job_name == "promotion_rollback"
    assert launch(world, request)
    assert not tick(world)


def test_nothing_is_started_again_while_a_run_is_under_way_or_has_just_ended(world: World, filled: None) -> None:
    promotion_id = world.preview("rag_documents")
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
    (request,) = tick(world)
    run = world.instance.create_run_for_job(
        world.definitions.resolve_job_def("promotion_execute"),
        run_config=request.run_config,
        tags={**request.tags, SENSOR: "approvals_sensor"},
    )
    assert not tick(world)
    world.instance.report_run_failed(run)
    stored = world.instance.get_run_by_id(run.run_id)
    assert stored
    assert stored.status == DagsterRunStatus.FAILURE
    assert not tick(world)


def test_what_a_person_launched_too_early_does_not_hold_it_up(world: World, filled: None) -> None:
    promotion_id = world.preview("rag_documents")
    for _ in range(MAX_ATTEMPTS):
        early = world.run("promotion_execute", "execute_promotion", {"promotion_id": str(promotion_id)})
        assert failure_of(early)[1]["outcome"] == "refused"
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
    assert [request.job_name for request in tick(world)] == ["promotion_execute"]
