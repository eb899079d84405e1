"""One promotion from preview to rollback, on real stores."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from tests.promotion.world import World
from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentPromotion
from wisqu_pipelines.audit.verification import verify_control, verify_environment
from wisqu_pipelines.catalog.models import RagDocument, StoredFile, User, UserStorageQuota
from wisqu_pipelines.catalog.points import point_id
from wisqu_pipelines.errors import (
    ItemNotFound,
    ItemRefused,
    PathRefused,
    PlanStale,
    PromotionRefused,
    RollbackRefused,
    UnknownEnvironment,
    UnknownType,
)
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.promotion.models import Effect, PromotionState
from wisqu_pipelines.promotion.results import PromotionPreview, PromotionResult


def preview(world: World, *ids: UUID, source: str = "dev", target: str = "stage") -> PromotionPreview:
    return world.services.promotions.preview_promotion(
        RagDocument, source, target, list(ids) or None, requested_by_user_id=world.person(), reason="a test"
    )


def promote(world: World, *ids: UUID) -> PromotionResult:
    planned = preview(world, *ids)
    world.services.approvals.grant(planned.promotion_id, demo_people.DEVELOPER, "looks good")
    return world.services.promotions.execute(planned.promotion_id, run_id="test")


def target_of(world: World, source_id: UUID, env: str = "stage") -> RagDocument:
    with world.environment(env).database.begin() as session:
        return session.scalars(select(RagDocument).where(RagDocument.source_id == source_id)).one()


def test_a_document_goes_as_one_unit(world: World) -> None:
    document = world.document("راهنما.md", "نماز", chunks=5)
    planned = preview(world)

    assert planned.total_count == 2, "the document and the file it belongs to"
    assert planned.total_points == 5
    assert planned.errors == []
    before = world.state("stage")
    done = promote(world)
    twin = target_of(world, document)

    assert done.state == PromotionState.SUCCEEDED
    assert (done.success_count, done.error_count, done.points) == (2, 0, 5)
    assert twin.environment == "stage"
    assert twin.source_environment == "dev"
    assert twin.promotion_status == "draft"
    assert not twin.is_promotable
    assert world.file_of(twin.id, "stage").filename == "راهنما.md"
    assert world.file_of(twin.id, "stage").source_id == world.row(document).file_id
    assert world.visible_points("stage") == 5
    stage, dev = world.state("stage"), world.state("dev")
    assert set(stage["objects"].values()) == set(dev["objects"].values()), "the same bytes on both sides"
    vectors = [sorted(point[1] for point in side["points"].values()) for side in (dev, stage)]
    assert vectors[0] == vectors[1]
    assert {point[0]["document_id"] for point in stage["points"].values()} == {str(twin.id)}
    assert world.row(document).promotion_status == "promoted"
    assert world.row(document).held_by_promotion_id is None
    assert world.file_of(document).promotion_status == "promoted"
    assert before["rows"]["rag_documents"] == {}


def test_everything_is_written_down(world: World) -> None:
    world.document()
    done = promote(world)
    with world.environment("stage").database.begin() as session:
        receipt = session.scalars(select(EnvironmentPromotion)).one()
    with world.environment("dev").database.begin() as session:
        sent = session.scalars(select(DeveloperAction).where(DeveloperAction.action == "promoted_to_stage")).one()

    assert receipt.status == "success"
    assert receipt.promotion_id == done.promotion_id
    assert receipt.success_count == 2
    assert receipt.items_promoted["total_count"] == 2
    assert [UUID(each["user_id"]) for each in receipt.approvals] == [world.person()]
    assert sent.details is not None
    assert sent.details["promotion_id"] == str(done.promotion_id)
    for name in ("dev", "stage"):
        assert verify_environment(world.services.control, world.environment(name).database, name).holds
    assert verify_control(world.services.control).holds


def test_promoting_again_moves_nothing(world: World) -> None:
    document = world.document()
    promote(world)
    world.change(document, "dev", promotion_status="approved")
    again = preview(world)

    assert again.total_count == 0
    assert {item.effect for item in again.items} == {Effect.UNCHANGED}
    with pytest.raises(PromotionRefused, match="moves nothing"):
        world.services.approvals.grant(again.promotion_id, demo_people.DEVELOPER)


def test_an_update_swaps_the_content_and_hides_what_it_supersedes(world: World) -> None:
    document = world.document(text="old", chunks=3)
    promote(world)
    old = target_of(world, document)
    world.edit(document, "new and longer", chunks=4)
    done = promote(world)
    new = target_of(world, document)

    assert done.success_count == 2
    assert new.id == old.id
    assert new.vector_version != old.vector_version
    assert new.created_at == old.created_at
    assert world.visible_points("stage") == 4
    assert world.file_of(new.id, "stage").file_size_bytes == len("new and longer")


def test_rollback_of_a_creation_leaves_the_target_as_it_was(world: World) -> None:
    kept = world.document("kept.md", "kept")
    promote(world, kept)
    before, dev_before = world.state("stage"), None
    document = world.document("other.md", "other")
    dev_before = world.state("dev")
    done = promote(world, document)
    assert world.state("stage") != before
    back = world.services.promotions.rollback_promotion(done.promotion_id, world.person(), "it was wrong")

    assert back.state == PromotionState.ROLLED_BACK
    assert world.state("stage") == before
    assert world.state("dev") == dev_before
    again = world.services.promotions.rollback_promotion(done.promotion_id, world.person())
    assert again.state == PromotionState.ROLLED_BACK
    assert world.state("stage") == before
    assert verify_environment(world.services.control, world.environment("stage").database, "stage").holds


def test_rollback_of_an_update_gives_back_what_stood_there(world: World) -> None:
    document = world.document(text="first", chunks=3)
    promote(world)
    before = world.state("stage")
    world.edit(document, "second", chunks=5)
    done = promote(world)
    world.services.promotions.rollback_promotion(done.promotion_id, world.person())

    assert world.state("stage") == before


def test_rollback_refuses_what_was_edited_since(world: World) -> None:
    document = world.document("a.md")
    done = promote(world)
    twin = target_of(world, document)
    world.change(twin.id, "stage", title="edited in stage")
    before = world.state("stage")

    with pytest.raises(RollbackRefused, match=str(twin.id)):
        world.services.promotions.rollback_promotion(done.promotion_id, world.person())
    assert world.state("stage") == before
    assert world.services.promotions.status(done.promotion_id).state == PromotionState.SUCCEEDED


def test_rollback_refuses_what_was_promoted_on(world: World) -> None:
    document = world.document()
    done = promote(world)
    twin = target_of(world, document)
    world.change(twin.id, "stage", promotion_status="approved", is_promotable=True)
    planned = world.services.promotions.preview_promotion(
        RagDocument, "stage", "prod", [twin.id], requested_by_user_id=world.person()
    )
    world.services.approvals.grant(planned.promotion_id, demo_people.ADMIN)
    world.services.promotions.execute(planned.promotion_id, run_id="test")

    assert target_of(world, twin.id, "prod").source_environment == "stage"
    with pytest.raises(RollbackRefused, match="promoted on"):
        world.services.promotions.rollback_promotion(done.promotion_id, world.person())


def test_nobody_asked_for_a_rollback(world: World) -> None:
    world.document()
    done = promote(world)
    with pytest.raises(PromotionRefused, match="nobody has asked"):
        world.services.promotions.rollback(done.promotion_id, run_id="dagster")
    world.services.promotions.request_rollback(done.promotion_id, demo_people.ADMIN, "bad text")
    assert world.services.promotions.rollbacks_requested() == [done.promotion_id]
    assert world.services.promotions.rollback(done.promotion_id, run_id="dagster").state == PromotionState.ROLLED_BACK


def test_a_preview_changes_nothing_and_is_kept_once(world: World) -> None:
    world.document()
    before = world.state("dev"), world.state("stage")
    first, second = preview(world), preview(world)

    assert first.promotion_id == second.promotion_id
    assert (world.state("dev"), world.state("stage")) == before
    assert world.services.promotions.preview(first.promotion_id).items == first.items


def test_execution_needs_an_approval(world: World) -> None:
    world.document()
    planned = preview(world)
    with pytest.raises(PromotionRefused, match="not approved yet"):
        world.services.promotions.execute(planned.promotion_id, run_id="test")
    assert world.state("stage")["rows"]["rag_documents"] == {}


def test_execute_promotion_runs_the_approved_plan(world: World) -> None:
    world.document()
    arguments = (StoredFile, "dev", "stage")
    planned = preview(world)
    with pytest.raises(PromotionRefused, match="not approved yet"):
        world.services.promotions.execute_promotion(RagDocument, "dev", "stage", world.person(), "deploy")
    world.services.approvals.grant(planned.promotion_id, demo_people.ADMIN)
    done = world.services.promotions.execute_promotion(RagDocument, "dev", "stage", world.person(), "deploy")

    assert done.promotion_id == planned.promotion_id
    assert done.success_count == 2
    assert arguments


@pytest.mark.parametrize("what", ["row", "file", "vectors", "approval", "target", "gone"])
def test_a_plan_that_is_no_longer_true_is_refused(world: World, what: str) -> None:
    document = world.document("guide.md")
    promote(world)
    world.edit(document, "second")
    planned = preview(world)
    world.services.approvals.grant(planned.promotion_id, demo_people.DEVELOPER)
    twin = target_of(world, document)
    match what:
        case "row":
            world.change(document, "dev", title="another")
        case "file" | "vectors":
            world.edit(document, "third")
        case "approval":
            world.change(document, "dev", promotion_status="draft")
        case "target":
            world.change(twin.id, "stage", title="edited in stage")
        case "gone":
            world.change(document, "dev", is_deleted=True)
    before = world.state("dev"), world.state("stage")

    with pytest.raises(PlanStale, match=r"guide\.md") as refusal:
        world.services.promotions.execute(planned.promotion_id, run_id="test")
    assert str(document) in str(refusal.value)
    assert (world.state("dev"), world.state("stage")) == before
    assert world.services.promotions.status(planned.promotion_id).state == PromotionState.REFUSED
    with pytest.raises(PromotionRefused):
        world.services.promotions.execute(planned.promotion_id, run_id="test")


def test_an_item_approved_later_does_not_make_a_plan_stale(world: World) -> None:
    world.document("first.md")
    planned = preview(world)
    world.services.approvals.grant(planned.promotion_id, demo_people.DEVELOPER)
    world.document("second.md")

    assert world.services.promotions.execute(planned.promotion_id, run_id="test").success_count == 2
    assert world.visible_points("stage") == 3


def test_blocked_items_stay_and_say_why(world: World) -> None:
    fine = world.document("fine.md")
    gone = world.document("gone.md")
    world.remove_file(gone)
    short = world.document("short.md")
    world.change(short, "dev", point_count=2)
    planned = preview(world)

    assert {item.source_id for item in planned.items if item.moves and item.item_type == "rag_documents"} == {fine}
    assert any("gone.md" in error and "its file is gone" in error for error in planned.errors)
    assert any("short.md" in error and "2 vectors" in error for error in planned.errors)
    world.services.approvals.grant(planned.promotion_id, demo_people.DEVELOPER)
    assert world.services.promotions.execute(planned.promotion_id, run_id="test").success_count == 2
    assert world.row(gone).promotion_status == "approved"


def test_what_no_row_or_vector_should_say_blocks_that_one_alone(world: World) -> None:
    fine = world.document("fine.md")
    odd = {name: world.document(name) for name in ("bucket", "collection", "chunk", "number", "count")}
    dev = world.environment("dev")
    with dev.database.begin() as session:
        session.get_one(StoredFile, world.row(odd["bucket"]).file_id).bucket = "x/../Y"
    world.change(odd["collection"], "dev", collection="../documents")
    world.change(odd["count"], "dev", point_count=2_000_000_000)
    collection = dev.settings.get_collection_name(world.services.settings.default_collection)
    for name, payload in ("chunk", {"chunk": "the first"}), ("number", {"page": 2**60}):
        dev.vectors.set_payload(collection, [point_id(world.row(odd[name]).vector_version, 1)], payload)
    planned = preview(world)

    assert {item.source_id for item in planned.items if item.moves and item.item_type == "rag_documents"} == {fine}
    why = {item.label: str(item.blocked_reason) for item in planned.items if item.blocked_reason}
    assert "'dev-x/../Y' is no name of a bucket" in why["bucket"]
    assert why["collection"] == "'../documents' is no name of a vector collection"
    assert "it does not say which chunk it is" in why["chunk"]
    assert "a number that RFC 8785 has no form for" in why["number"]
    assert why["count"] == f"its row says 2000000000 vectors and collection {collection} has 3 of them"


def test_quotas_need_their_user(world: World) -> None:
    person = world.person()
    with world.environment("dev").database.begin() as session:
        session.add(User(id=person, email="dana@demo.wisqu.com", role="developer"))
        session.flush()
        session.add(
            UserStorageQuota(user_id=person, max_bytes=10, max_files=2, is_promotable=True, promotion_status="approved")
        )
    arguments = ("user_storage_quotas", "dev", "stage")
    planned = world.services.promotions.preview_promotion(*arguments, requested_by_user_id=person)
    assert planned.total_count == 0
    assert f"stage has no users {person}" in planned.errors[0]
    with world.environment("stage").database.begin() as session:
        session.add(User(id=person, email="dana@demo.wisqu.com", role="developer"))
    planned = world.services.promotions.preview_promotion(*arguments, requested_by_user_id=person)
    world.services.approvals.grant(planned.promotion_id, demo_people.DEVELOPER)
    assert world.services.promotions.execute(planned.promotion_id, run_id="test").success_count == 1


def test_a_quota_is_its_users_and_what_they_use_is_counted_in_the_target(world: World) -> None:
    people = [uuid4(), uuid4()]
    for env in ("dev", "stage"):
        with world.environment(env).database.begin() as session:
            session.add_all(User(id=each, email=f"{each}@example.org", role="user") for each in people)
    with world.environment("stage").database.begin() as session:
        session.add(UserStorageQuota(user_id=people[1], max_bytes=5, max_files=1))
    quota = UserStorageQuota(id=uuid4(), user_id=people[0], max_bytes=10, max_files=2)
    with world.environment("dev").database.begin() as session:
        session.add(quota)

    def preview_of(**columns: Any) -> PromotionPreview:
        with world.environment("dev").database.begin() as session:
            columns |= {"is_promotable": True, "promotion_status": "approved"}
            session.execute(update(UserStorageQuota).where(UserStorageQuota.id == quota.id).values(**columns))
        return world.services.promotions.preview_promotion(
            "user_storage_quotas", "dev", "stage", requested_by_user_id=world.person()
        )

    for max_bytes in (10, 20):
        planned = preview_of(max_bytes=max_bytes)
        world.services.approvals.grant(planned.promotion_id, demo_people.DEVELOPER)
        world.services.promotions.execute(planned.promotion_id, run_id="test")
    with world.environment("stage").database.begin() as session:
        mine = UserStorageQuota.user_id == people[0]
        session.execute(update(UserStorageQuota).where(mine).values(used_bytes=7, used_files=1))
    world.services.promotions.rollback_promotion(planned.promotion_id, world.person())
    with world.environment("stage").database.begin() as session:
        found = session.scalars(select(UserStorageQuota).where(mine)).one()
        assert (found.max_bytes, found.used_bytes, found.used_files) == (10, 7, 1)
    (problem,) = preview_of(user_id=people[1]).errors
    assert "stage has another user_storage_quotas with this user_id" in problem


def refused(world: World, expected: type[Exception], sentence: str, *ids: UUID, source: str, target: str) -> None:
    before = world.state("dev"), world.state("stage"), world.services.promotions.list()
    with pytest.raises(expected, match=sentence):
        preview(world, *ids, source=source, target=target)
    assert (world.state("dev"), world.state("stage"), world.services.promotions.list()) == before


def test_bad_input_is_refused_before_anything_changes(world: World) -> None:
    draft, test, gone, weird = (world.document(name) for name in ("draft.md", "test.md", "gone.md", "weird.md"))
    world.change(draft, "dev", promotion_status="draft", is_promotable=False)
    world.change(test, "dev", is_test_data=True, test_data_reason="by hand")
    world.remove_file(gone)
    with world.environment("dev").database.begin() as session:
        session.get_one(StoredFile, world.row(weird).file_id).filename = "=1+1.md"
    unknown = uuid4()
    refused(world, UnknownEnvironment, "There is no environment 'moon'", source="dev", target="moon")
    refused(world, PathRefused, "Nothing is promoted from stage to dev", source="stage", target="dev")
    refused(
        world,
        ItemNotFound,
        f"There is no {unknown} among the rag_documents of dev",
        unknown,
        source="dev",
        target="stage",
    )
    refused(world, ItemRefused, "draft.md.*not approved", draft, source="dev", target="stage")
    refused(world, ItemRefused, "test.md.*test data \\(by hand\\)", test, source="dev", target="stage")
    refused(world, ItemRefused, "gone.md.*its file is gone", gone, source="dev", target="stage")
    refused(
        world,
        ItemRefused,
        "weird.md.*'=1\\+1.md' is not usable: .*spreadsheet formula",
        weird,
        source="dev",
        target="stage",
    )
    with pytest.raises(UnknownType, match="There is no item type 'sermons'"):
        world.services.promotions.preview_promotion("sermons", "dev", "stage")
