"""An isolated world with the definitions on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from dagster import (
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    RunRequest,
    SensorResult,
    SkipReason,
    build_sensor_context,
)
from sqlalchemy import update

from wisqu_pipelines import definitions
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.sensors.approvals import approvals_sensor


@dataclass(frozen=True)
class World:
    """An installation with its definitions and a Dagster instance of its own."""

    services: Services
    definitions: Definitions
    instance: DagsterInstance

    def run(self, job: str, op: str, config: Mapping[str, Any]) -> ExecuteInProcessResult:
        """Run a job as the launchpad does, and leave its failure to the caller."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            run_config={"ops": {op: {"config": dict(config)}}}, instance=self.instance, raise_on_error=False
        )

    def preview(self, promotion_type: str, source: str = "dev", target: str = "stage", **more: Any) -> UUID:
        """Preview by the job; returns the promotion's id."""
        config = {"promotion_type": promotion_type, "source_environment": source, "target_environment": target, **more}
        result = self.run("promotion_preview", "preview_promotion", config)
        assert result.success, failure_of(result)
        return UUID(output_metadata(result)["promotion"])

    def add_documents(self, folder: Path, names: Sequence[str]) -> None:
        """Put documents of those names into dev, and approve them."""
        for number, name in enumerate(names):
            (folder / name).write_text(f"Document {number}, called {name}.\n\n" + "Wisqu answers. " * 40)
        self.ingest_and_approve(folder)

    def ingest_and_approve(self, folder: Path) -> None:
        """Put what is in a folder into dev, and approve it."""
        services = self.services
        dev = services.environments["dev"]
        services.ingest("dev").ingest([folder])
        with dev.database.begin() as session:
            for model in (StoredFile, RagDocument):
                session.execute(update(model).values(is_promotable=True, promotion_status=PromotionStatus.APPROVED))


@pytest.fixture
def world(services: Services, tmp_path: Path) -> Iterator[World]:
    """The isolated world; Dagster's resource finds its settings by itself, as in a run."""
    with DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
        yield World(services, definitions.wisqu_pipelines(), instance)


def execute_job(world: World, job: str, op: str, promotion_id: UUID | str) -> ExecuteInProcessResult:
    """Run a job on a promotion; it must end well."""
    result = world.run(job, op, {"promotion_id": str(promotion_id)})
    assert result.success, failure_of(result)
    return result


def output_metadata(result: ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of a run's one output, as plain values."""
    (event,) = [event for event in result.all_events if event.event_type_value == "STEP_OUTPUT"]
    return {name: value.value for name, value in event.step_output_data.metadata.items()}


def failure_of(result: ExecuteInProcessResult) -> tuple[str, dict[str, Any]]:
    """The sentence and the metadata with which a run's step failed."""
    (event,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None, event.step_failure_data.error
    return failure.description or "", {name: value.value for name, value in failure.metadata.items()}


def tick(world: World) -> Sequence[RunRequest]:
    """The runs that the approvals sensor asks for."""
    context = build_sensor_context(instance=world.instance, resources={"wisqu": WisquResource()})
    with context:
        result = approvals_sensor(context)
    assert isinstance(result, SensorResult)
    if not result.run_requests:
        assert isinstance(result.skip_reason, SkipReason)
    return result.run_requests or []


def launch(world: World, request: RunRequest) -> bool:
    """Run what the sensor asked for; returns whether it ended well."""
    assert request.job_name
    job = world.definitions.resolve_job_def(request.job_name)
    return job.execute_in_process(
        run_config=request.run_config, instance=world.instance, tags=request.tags, raise_on_error=False
    ).success
