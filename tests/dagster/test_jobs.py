"""The promotion jobs on real stores: what they show, what they change, how they end."""

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from dagster import AssetKey, ExecuteInProcessResult
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from sqlalchemy import func, select

from tests.dagster.conftest import World, failure_of, output_metadata
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.errors import Refused
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.jobs.landing import DATA_VERSION
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.service import EnvironmentPromotionService
from wisqu_pipelines.resources.outcomes import OUTCOME_TAG

NOWHERE = "00000000-0000-4000-8000-000000000000"
HOSTILE = ("a|b & c.txt", "# <b>bold</b>.md", "`tick` [x](y).txt")


def execute(world: World, promotion_id: UUID | str) -> ExecuteInProcessResult:
    return world.run("promotion_execute", "execute_promotion", {"promotion_id": str(promotion_id)})


def roll_back(world: World, promotion_id: UUID | str) -> ExecuteInProcessResult:
    return world.run("promotion_rollback", "rollback_promotion", {"promotion_id": str(promotion_id)})


def landed_on(result: ExecuteInProcessResult) -> dict[AssetKey, dict[str, object]]:
    events = result.get_asset_materialization_events()
    return {
        event.materialization.asset_key: {name: value.value for name, value in event.materialization.metadata.items()}
        for event in events
    }


def documents_in(world: World, environment: str) -> int:
    with world.services.environments[environment].database.snapshot() as session:
        return session.scalar(select(func.count()).select_from(RagDocument)) or 0


def tags_of(world: World, result: ExecuteInProcessResult) -> Mapping[str, str]:
    run = world.instance.get_run_by_id(result.run_id)
    assert run
    return run.tags


@pytest.fixture
def names(world: World, tmp_path: Path) -> Sequence[str]:
    folder = tmp_path / "documents"
    folder.mkdir()
    names = ("one.txt", "two.md")
    world.add_documents(folder, names)
    return names


def test_a_preview_shows_a_report_a_table_and_a_picture(world: World, names: Sequence[str]) -> None:
    result = world.run(
        "promotion_preview",
        "preview_promotion",
        {"promotion_type": "rag_documents", "source_environment": "dev", "target_environment": "stage"},
    )
    assert result.success
    shown = output_metadata(result)
    assert f"wisqu approvals grant {shown['promotion']}" in shown["plan"]
    assert shown["decide on it"].endswith(f"/approvals/promotions/{shown['promotion']}")
    assert list(shown)[-1] == "items", "what is below it nobody sees"
    assert shown["plan digest"] in shown["plan"]
    assert shown["items to write"] == 4  # two documents and their files
    assert {record.data["effect"] for record in shown["items"].records} == {"create"}
    (picture,) = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)\)", shown["plan"])
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    promotion = world.services.promotions.status(UUID(shown["promotion"]))
    assert (promotion.requested_via, promotion.requested_by) == ("dagster", None)
    assert documents_in(world, "stage") == 0
    tags = tags_of(world, result)
    assert (tags["wisqu/promotion"], tags["wisqu/path"]) == (shown["promotion"], "dev->stage")


def test_a_preview_of_nothing_says_so(world: World) -> None:
    result = world.run(
        "promotion_preview",
        "preview_promotion",
        {"promotion_type": "rag_documents", "source_environment": "dev", "target_environment": "stage"},
    )
    assert result.success
    shown = output_metadata(result)
    assert "There is nothing to approve" in shown["plan"]
    assert "decide on it" not in shown


def test_what_is_blocked_is_shown_and_why_and_nobody_is_sent_to_approve_what_nobody_can(
    world: World, names: Sequence[str]
) -> None:
    dev = world.services.environments["dev"]
    with dev.database.snapshot() as session:
        gone = session.scalars(select(StoredFile).where(StoredFile.filename == "one.txt")).one()
    dev.objects.delete(dev.settings.get_bucket_name(gone.bucket), [gone.object_name])
    result = world.run(
        "promotion_preview",
        "preview_promotion",
        {"promotion_type": "rag_documents", "source_environment": "dev", "target_environment": "prod"},
    )
    shown = output_metadata(result)
    assert (shown["blocked"], shown["items to write"]) == (1, 2)
    first = shown["items"].records[0].data
    assert (first["effect"], first["type"]) == ("blocked", "rag_documents")
    assert "its file is gone" in first["why"]
    assert "its file is gone" in shown["plan"]
    assert "make the plan as a known person" in shown["plan"]
    assert "decide on it" not in shown


def test_an_approved_promotion_lands_on_the_targets_assets(world: World, names: Sequence[str]) -> None:
    promotion_id = world.preview("rag_documents")
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
    result = execute(world, promotion_id)
    assert result.success, failure_of(result)
    landed = landed_on(result)
    assert set(landed) == {
        AssetKey(["stage", kind]) for kind in ("stored_files", "rag_documents", "vectors", "environment_promotions")
    }
    report = world.services.promotions.status(promotion_id)
    assert report.state == PromotionState.SUCCEEDED
    assert report.run_id == result.run_id
    for metadata in landed.values():
        assert metadata["promotion"] == str(promotion_id)
        assert metadata["plan digest"] == report.plan_digest
        assert metadata["outcome"] == "succeeded"
        assert re.fullmatch(r"\d+\.\d{1,2}", str(metadata["seconds"]))
    assert landed[AssetKey(["stage", "rag_documents"])]["wisqu/changed"] == 2
    assert documents_in(world, "stage") == 2


def unsynced(world: World, environment: str) -> Sequence[AssetKey]:
    """The assets of the environment that Dagster's pages show as out of step with what they are made of."""
    graph = world.definitions.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(world.instance, graph, LoadingContextForTest(world.instance))
    keys = [AssetKey([environment, kind]) for kind in ("stored_files", "rag_documents", "vectors")]
    return [key for key in keys if resolver.get_status(key) != StaleStatus.FRESH]


def versions(result: ExecuteInProcessResult) -> set[str]:
    """The versions under which a run's assets are known to what is made of them."""
    return {(event.materialization.tags or {})[DATA_VERSION] for event in result.get_asset_materialization_events()}


def test_what_landed_is_in_step_with_what_it_is_made_of(world: World, names: Sequence[str]) -> None:
    first = world.preview("rag_documents")
    world.services.approvals.grant(first, demo_people.DEVELOPER)
    arrived = execute(world, first)
    assert arrived.success
    assert unsynced(world, "stage") == [], "although nobody ever took dev's inventory"

    assert world.definitions.resolve_job_def("inventory").execute_in_process(instance=world.instance).success
    assert unsynced(world, "stage") == []
    world.services.promotions.request_rollback(first, demo_people.DEVELOPER, "wrong edition")
    gone = roll_back(world, first)
    assert gone.success
    assert unsynced(world, "stage") == []
    assert versions(arrived).isdisjoint(versions(gone)), "what is made of it is out of step after each of them"
    assert len(unsynced(world, "prod")) == 3, "what they are made of is another than it was"


def test_progress_is_in_the_log(world: World, names: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    promotion_id = world.preview("rag_documents")
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
    capsys.readouterr()
    assert execute(world, promotion_id).success
    written = capsys.readouterr().err
    assert written.index("stage: 0 of 4") < written.index("stage: 4 of 4"), "the rate is that of the whole step"
    assert re.search(r"stage: 4 of 4 \(.*points.* items/s\)", written)


def test_an_unapproved_promotion_is_refused_and_nothing_moves(world: World, names: Sequence[str]) -> None:
    promotion_id = world.preview("rag_documents")
    result = execute(world, promotion_id)
    assert not result.success
    sentence, metadata = failure_of(result)
    with pytest.raises(Refused) as refusal:
        world.services.promotions.execute(promotion_id, run_id="test")
    assert sentence == str(refusal.value)
    assert metadata["outcome"] == "refused"
    assert tags_of(world, result)[OUTCOME_TAG] == "refused"
    assert documents_in(world, "stage") == 0


def test_a_rollback_takes_back_what_was_asked_for(world: World, names: Sequence[str]) -> None:
    promotion_id = world.preview("rag_documents")
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
    assert execute(world, promotion_id).success
    unasked = roll_back(world, promotion_id)
    assert failure_of(unasked)[1]["outcome"] == "refused"
    assert documents_in(world, "stage") == 2
    world.services.promotions.request_rollback(promotion_id, demo_people.DEVELOPER, "not yet")
    result = roll_back(world, promotion_id)
    assert result.success, failure_of(result)
    assert landed_on(result)[AssetKey(["stage", "rag_documents"])]["outcome"] == "rolled_back"
    assert documents_in(world, "stage") == 0
    assert roll_back(world, promotion_id).success  # again changes nothing


def test_a_run_launched_again_does_not_keep_the_outcome_of_the_run_before(
    world: World, names: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion_id = world.preview("rag_documents")
    assert tags_of(world, execute(world, promotion_id))[OUTCOME_TAG] == "refused"
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)

    def again() -> str:
        """Re-executions begin with all tags of the run that they repeat."""
        result = world.definitions.resolve_job_def("promotion_execute").execute_in_process(
            run_config={"ops": {"execute_promotion": {"config": {"promotion_id": str(promotion_id)}}}},
            instance=world.instance,
            tags={OUTCOME_TAG: "refused"},
            raise_on_error=False,
        )
        return tags_of(world, result)[OUTCOME_TAG]

    with monkeypatch.context() as broken:
        broken.setattr(EnvironmentPromotionService, "execute", lambda *_, **__: 1 / 0)
        assert again() == "none yet"
    assert again() == "done"
    assert again() == "refused", "nothing is left to do"


def test_a_run_that_names_nothing_says_what_there_is_and_changes_nothing(world: World, names: Sequence[str]) -> None:
    def waiting(job: str) -> tuple[str, list[dict[str, object]]]:
        result = world.definitions.resolve_job_def(job).execute_in_process(instance=world.instance)
        told = output_metadata(result)
        return told["nothing was done"], [record.data for record in told["what waits"].records]

    assert waiting("promotion_after_tests")[1] == []
    assert waiting("promotion_execute") == ("No promotion was named. Nothing waits for a run.", [])
    promotion_id = world.preview("rag_documents")
    world.services.approvals.grant(promotion_id, demo_people.DEVELOPER)
    said, rows = waiting("promotion_execute")
    assert "1 waits for a run" in said
    assert [(row["promotion_id"], row["path"], row["state"]) for row in rows] == [
        (str(promotion_id), "dev -> stage", "approved")
    ]
    assert world.services.promotions.status(promotion_id).state == PromotionState.APPROVED
    assert execute(world, promotion_id).success
    assert waiting("promotion_rollback")[1] == []
    world.services.promotions.request_rollback(promotion_id, demo_people.DEVELOPER, "The guides were the wrong ones")
    (row,) = waiting("promotion_rollback")[1]
    assert (row["promotion_id"], row["why"]) == (str(promotion_id), "The guides were the wrong ones")
    assert documents_in(world, "stage") == len(names)


def test_hostile_names_stay_text(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    world.add_documents(folder, [name.replace("/", "_") for name in HOSTILE])
    result = world.run(
        "promotion_preview",
        "preview_promotion",
        {"promotion_type": "rag_documents", "source_environment": "dev", "target_environment": "stage"},
    )
    assert result.success, failure_of(result)
    shown = output_metadata(result)
    assert "<b>" not in shown["plan"]
    assert {"a|b & c.txt"} <= {record.data["item"] for record in shown["items"].records}


def test_bad_input_of_a_preview_is_refused_with_the_services_sentence(world: World) -> None:
    good = {"promotion_type": "rag_documents", "source_environment": "dev", "target_environment": "stage"}
    for bad, says in (
        ({"source_environment": "stage", "target_environment": "dev"}, "Nothing is promoted from stage to dev"),
        ({"item_ids": [NOWHERE]}, f"There is no {NOWHERE} among the rag_documents of dev"),
        ({"item_ids": ["../../etc/passwd"]}, "There is no ../../etc/passwd among the rag_documents of dev"),
        ({"reason": "x" * 5_000}, "5000 characters"),
    ):
        result = world.run("promotion_preview", "preview_promotion", {**good, **bad})
        sentence, metadata = failure_of(result)
        assert says in sentence
        assert metadata["outcome"] == "refused"
    assert not world.services.promotions.list()
    with pytest.raises(Refused) as refusal:
        world.services.promotions.preview_promotion("rag_documents", "dev", "stage", [UUID(NOWHERE)])
    sentence, _ = failure_of(world.run("promotion_preview", "preview_promotion", {**good, "item_ids": [NOWHERE]}))
    assert sentence == str(refusal.value)


def test_an_unknown_promotion_is_refused(world: World) -> None:
    for promotion_id in (NOWHERE, "not an id", "\u202eabc\n"):
        for result in (execute(world, promotion_id), roll_back(world, promotion_id)):
            sentence, metadata = failure_of(result)
            assert sentence.startswith("There is no promotion ")
            assert "\u202e" not in sentence
            assert metadata["outcome"] == "refused"


def test_a_store_that_is_down_is_a_failure_and_not_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WISQU_CONTROL__DATABASE__PORT", "1")
    sentence, metadata = failure_of(execute(world, NOWHERE))
    assert "does not answer" in sentence
    assert metadata["outcome"] == "failed"
