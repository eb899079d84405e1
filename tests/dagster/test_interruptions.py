"""Terminate, crashes and re-executions of the promotion jobs."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from dagster import DagsterInstance, DagsterRunStatus, ReexecutionOptions, RunsFilter, execute_job
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from sqlalchemy import update

from tests.dagster.conftest import World, launch, tick
from tests.fixtures.held import REVEALING, SECONDS, STAGING, Held, held_at
from tests.promotion.world import World as Stores
from wisqu_pipelines.errors import PromotionRefused
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.promotion.ledger import Ledger
from wisqu_pipelines.promotion.models import Promotion, PromotionState

JOB = "promotion_execute"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """A Dagster instance that other processes see too."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    with DagsterInstance.local_temp(tempdir=str(folder)) as instance:
        yield instance


@pytest.fixture
def promotion(world: World, tmp_path: Path) -> UUID:
    """An approved promotion of two documents."""
    folder = tmp_path / "documents"
    folder.mkdir()
    world.add_documents(folder, ["one.txt", "two.md"])
    promotion_id = world.services.promotions.preview_promotion("rag_documents", "dev", "stage").promotion_id
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
    return promotion_id


@pytest.fixture
def job() -> ReconstructableJob:
    repository = ReconstructableRepository.for_module("wisqu_pipelines.definitions", "wisqu_pipelines")
    return repository.get_reconstructable_job(JOB)


def config(promotion: UUID) -> dict[str, object]:
    return {"ops": {"execute_promotion": {"config": {"promotion_id": str(promotion)}}}}


def terminating(instance: DagsterInstance, held: Held) -> threading.Thread:
    """Does what Dagster's Terminate does, as soon as the run is held up: says so, and interrupts the run's process."""

    def act() -> None:
        held.wait()
        (run,) = instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED]))
        instance.report_run_canceling(run)
        os.kill(os.getpid(), signal.SIGINT)
        held.let_go()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def state(world: World, promotion: UUID) -> PromotionState:
    return world.services.promotions.status(promotion).state


def terminated(
    world: World, promotion: UUID, monkeypatch: pytest.MonkeyPatch, request: tuple[str, str]
) -> DagsterRunStatus:
    with held_at(monkeypatch, world.services.settings, "stage", request) as held:
        thread = terminating(world.instance, held)
        result = world.run(JOB, "execute_promotion", {"promotion_id": str(promotion)})
        thread.join()
    run = world.instance.get_run_by_id(result.run_id)
    assert run
    return run.status


def test_terminate_while_staging_stops_cleanly(world: World, promotion: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = Stores(world.services)
    before = stores.state("stage")
    assert terminated(world, promotion, monkeypatch, STAGING) == DagsterRunStatus.CANCELED
    assert state(world, promotion) == PromotionState.FAILED
    assert stores.state("stage") == before
    assert {row["promotion_status"] for row in stores.state("dev")["rows"]["rag_documents"].values()} == {"approved"}
    assert promotion not in world.services.promotions.ready(), "what a person stopped is not started by itself"
    assert world.run(JOB, "execute_promotion", {"promotion_id": str(promotion)}).success
    assert state(world, promotion) == PromotionState.SUCCEEDED


def test_terminate_after_the_commit_point_is_finished_by_the_next_run(
    world: World, promotion: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert terminated(world, promotion, monkeypatch, REVEALING) == DagsterRunStatus.CANCELED
    assert state(world, promotion) == PromotionState.PUBLISHED
    assert world.services.promotions.ready() == [promotion], "the sensor need not wait for the lease"
    assert world.run(JOB, "execute_promotion", {"promotion_id": str(promotion)}).success
    assert state(world, promotion) == PromotionState.SUCCEEDED
    assert Stores(world.services).visible_points("stage") > 0


@pytest.mark.parametrize("request_", [STAGING, REVEALING], ids=["while staging", "after the commit point"])
def test_a_retry_of_a_run_whose_process_is_gone_goes_on_at_once(
    world: World,
    home: DagsterInstance,
    job: ReconstructableJob,
    promotion: UUID,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    request_: tuple[str, str],
) -> None:
    """The re-execution is what both the UI's button and the automatic retry launch; it is the same root run."""
    run_config = tmp_path / "run.yaml"  # which JSON is
    run_config.write_text(json.dumps(config(promotion)))
    command = ["-m", "dagster", "job", "execute", "-m", "wisqu_pipelines.definitions", "-j", JOB, "-c", str(run_config)]
    with held_at(monkeypatch, world.services.settings, "stage", request_) as held:
        process = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
        try:
            held.wait()
        finally:
            process.kill()
            process.wait(SECONDS)
        held.lose()
    (crashed,) = home.get_runs()
    assert crashed.status == DagsterRunStatus.STARTED
    home.report_run_failed(crashed, "the run's process is gone")
    with pytest.raises(PromotionRefused, match=f"the run {crashed.run_id} is at it"):
        world.services.promotions.execute(promotion, run_id="another")
    options = ReexecutionOptions.from_failure(crashed.run_id, home)
    with execute_job(job, home, run_config=config(promotion), reexecution_options=options) as result:
        assert result.success
        assert result.dagster_run.root_run_id == crashed.run_id != result.run_id
    report = world.services.promotions.status(promotion)
    assert (report.state, report.run_id, report.success_count) == (PromotionState.SUCCEEDED, crashed.run_id, 4)


def test_the_sensor_resumes_what_no_living_run_is_at(world: World, promotion: UUID) -> None:
    Ledger(world.services.control, world.services.clock).claim(promotion, "cli:gone")
    assert not tick(world), "its lease holds"
    with world.services.control.begin() as session:
        over = world.services.clock.now() - timedelta(seconds=1)
        session.execute(update(Promotion).where(Promotion.id == promotion).values(lease_until=over))
    (request,) = tick(world)
    assert (request.job_name, request.tags["wisqu/promotion"]) == (JOB, str(promotion))
    assert launch(world, request)
    assert state(world, promotion) == PromotionState.SUCCEEDED
    assert not tick(world)
