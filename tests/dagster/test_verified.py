"""The asset check on what was read back, as the run that published tells it and as Dagster asks for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from dagster import AssetCheckEvaluation, AssetCheckKey, AssetKey, ExecuteInProcessResult

from tests.dagster.conftest import World, failure_of
from tests.promotion.world import World as Stores
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.verification import Verification

CHECK = AssetCheckKey(AssetKey(["stage", "environment_promotions"]), "promotions_verified")


@pytest.fixture
def promotion(world: World, tmp_path: Path) -> UUID:
    folder = tmp_path / "documents"
    folder.mkdir()
    world.add_documents(folder, ["one.txt", "two.md"])
    promotion_id = world.preview("rag_documents")
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
    return promotion_id


def execute(world: World, promotion: UUID) -> ExecuteInProcessResult:
    return world.run("promotion_execute", "execute_promotion", {"promotion_id": str(promotion)})


def evaluated(result: ExecuteInProcessResult) -> AssetCheckEvaluation:
    (found,) = result.get_asset_check_evaluations()
    assert found.asset_check_key == CHECK
    return found


def metadata(evaluation: AssetCheckEvaluation) -> Mapping[str, Any]:
    return {name: value.value for name, value in evaluation.metadata.items()}


def asked(world: World) -> AssetCheckEvaluation:
    """What the check says when it is run by itself."""
    job = world.definitions.get_repository_def().get_implicit_job_def_for_assets([CHECK.asset_key])
    assert job
    result = job.get_subset(asset_selection=set(), asset_check_selection={CHECK}).execute_in_process(
        instance=world.instance
    )
    return evaluated(result)


def spoil(monkeypatch: pytest.MonkeyPatch, world: World, target: str) -> None:
    """Somebody changes a row between publishing and reading back."""
    real = Verification.run

    def run(self: Verification, progress: Any) -> Any:
        stores = Stores(world.services)
        stores.change(UUID(next(iter(stores.state(target)["rows"][RagDocument.__tablename__]))), target, title="faster")
        return real(self, progress)

    monkeypatch.setattr(Verification, "run", run)


def test_what_passed_is_told_by_the_run_and_by_the_check(world: World, promotion: UUID) -> None:
    assert asked(world).passed, "nothing was promoted yet"
    result = execute(world, promotion)
    assert result.success
    for evaluation in (evaluated(result), asked(world)):
        assert evaluation.passed
        told = metadata(evaluation)
        assert (told["promotion"], told["level"], told["findings"]) == (str(promotion), "sample", "none")
        assert "rows" in told["compared"]


def test_what_did_not_pass_is_told_and_the_run_fails(
    world: World, promotion: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, world, "stage")
    result = execute(world, promotion)
    assert not result.success
    sentence, about = failure_of(result)
    assert "did not pass its verification in stage" in sentence
    assert about == {"outcome": "failed", "error": "VerificationFailed"}
    for evaluation in (evaluated(result), asked(world)):
        assert not evaluation.passed
        assert "has another row in stage than was planned" in metadata(evaluation)["findings"]
    assert world.services.promotions.status(promotion).state == PromotionState.SUCCEEDED
    assert not world.services.promotions.ready(), "it is not executed again"


def test_a_rollback_tells_again_what_the_check_says(world: World, promotion: UUID) -> None:
    """Its receipt is newer than the check's last evaluation, which Dagster then shows as none."""
    assert execute(world, promotion).success
    world.services.promotions.request_rollback(promotion, demo_people.DEVELOPER, "not yet")
    result = world.run("promotion_rollback", "rollback_promotion", {"promotion_id": str(promotion)})
    assert result.success
    for evaluation in (evaluated(result), asked(world)):
        assert evaluation.passed
        assert metadata(evaluation)["state"] == "rolled_back", "nobody takes it for what stands there"


def test_a_run_that_published_nothing_says_nothing_of_it(world: World, promotion: UUID) -> None:
    assert execute(world, promotion).success
    refused = execute(world, promotion)
    assert not refused.success
    assert not refused.get_asset_check_evaluations()
