"""Rollbacks: previewed, rehearsed, in parts, of what was built upon, and only while what they need is kept."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.promotion.world import World
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import PromotionRefused, RollbackRefused
from wisqu_pipelines.holds.service import Held
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN
from wisqu_pipelines.promotion.lineage import ancestors
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.rollback import Rollback
from wisqu_pipelines.storage.memory import ManualClock


def test_what_was_built_upon_goes_back_step_by_step(world: World) -> None:
    document = world.document(text="first", chunks=3)
    empty = world.state("stage")
    first = world.promote()
    once = world.state("stage")
    world.edit(document, "second", chunks=5)
    second = world.promote()
    twice = world.state("stage")
    world.edit(document, "third", chunks=2)
    third = world.promote()
    back = world.services.promotions.rollback_promotion

    with pytest.raises(RollbackRefused, match=f"the promotion {third.promotion_id} updated it since"):
        back(first.promotion_id, world.person())
    with pytest.raises(RollbackRefused, match=f"the promotion {third.promotion_id} updated it since"):
        back(second.promotion_id, world.person())
    back(third.promotion_id, world.person())
    assert world.state("stage") == twice
    back(second.promotion_id, world.person())
    assert world.state("stage") == once, "promotion 2 goes back to promotion 1's state"
    back(first.promotion_id, world.person())
    assert world.state("stage") == empty


def test_a_part_goes_back_with_what_was_pulled_in_for_it(world: World) -> None:
    wrong = world.document("wrong.md", "wrong")
    world.document("right.md", "right")
    shared, sharing = world.document("shared.md", "shared"), world.document("sharing.md", "sharing")
    world.change(sharing, "dev", file_id=world.row(shared).file_id)
    done = world.promote()
    assert done.success_count == 4 + 3
    back = world.services.promotions.rollback_promotion

    part = back(done.promotion_id, world.person(), "the text is wrong", item_ids=[wrong])
    assert (part.state, part.success_count, part.by_type) == (
        PromotionState.SUCCEEDED,
        2,
        {"rag_documents": 1, "stored_files": 1},
    )
    assert {row["title"] for row in world.state("stage")["rows"]["rag_documents"].values()} == {
        "right.md",
        "shared.md",
        "sharing.md",
    }
    assert world.row(wrong).promotion_status == "approved"
    assert world.row(shared).promotion_status == "promoted"
    assert world.services.promotions.status(done.promotion_id).rolled_back_count == 2
    outcomes = world.services.promotions.preview(done.promotion_id).outcomes
    assert outcomes == dict.fromkeys((wrong, world.row(wrong).file_id), "taken back")

    part = back(done.promotion_id, world.person(), item_ids=[world.twin(sharing)])
    assert part.by_type == {"rag_documents": 1}, "the file has another document"
    with pytest.raises(RollbackRefused, match=f"no item {wrong}, or that was taken back already"):
        back(done.promotion_id, world.person(), item_ids=[wrong])
    with pytest.raises(RollbackRefused, match="no item"):
        back(done.promotion_id, world.person(), item_ids=[uuid4()])

    rest = back(done.promotion_id, world.person())
    assert (rest.state, rest.success_count) == (PromotionState.ROLLED_BACK, 4)
    assert not any(world.state("stage")["rows"].values())
    assert world.state("stage")["points"] == {}
    assert world.state("stage")["objects"] == {}


def test_a_rollback_that_is_asked_for_is_not_forgotten_for_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = world.document("one.md", "one"), world.document("two.md", "two")
    done, promotions = world.promote(), world.services.promotions
    promotions.request_rollback(done.promotion_id, ADMIN, "one is wrong", [one])
    promotions.request_rollback(done.promotion_id, SUPERADMIN, "one is wrong", [world.twin(one)])
    with pytest.raises(PromotionRefused, match="a rollback of other items of it is asked for already"):
        promotions.request_rollback(done.promotion_id, SUPERADMIN, "two is wrong", [two])
    real = Rollback._run

    def run(*arguments: Any) -> Any:
        monkeypatch.undo()
        promotions.request_rollback(done.promotion_id, SUPERADMIN, "one is wrong", [one])
        with pytest.raises(PromotionRefused, match="a rollback of it is under way"):
            promotions.request_rollback(done.promotion_id, SUPERADMIN, "two is wrong", [two])
        return real(*arguments)

    monkeypatch.setattr(Rollback, "_run", run)
    assert promotions.rollback(done.promotion_id, run_id="test").by_type == {"rag_documents": 1, "stored_files": 1}
    promotions.request_rollback(done.promotion_id, SUPERADMIN, "two is wrong", [two])
    assert promotions.rollback(done.promotion_id, run_id="test").state == PromotionState.ROLLED_BACK


def test_what_was_said_of_a_row_since_stays_said(world: World) -> None:
    document = world.document()
    world.promote()
    twin = world.twin(document)
    world.change(twin, "stage", is_promotable=True, promotion_status="approved")
    world.edit(document, "other words")
    done = world.promote()
    world.services.candidates("stage").mark_as_test_data("rag_documents", [twin], world.person(ADMIN), "a tester's")
    world.services.promotions.rollback_promotion(done.promotion_id, world.person())
    row = world.row(twin, "stage")
    assert (row.is_test_data, row.test_data_by_person, row.test_data_reason) == (True, True, "a tester's")
    assert (row.is_promotable, row.promotion_status, row.point_count) == (False, "draft", 3)


def test_a_preview_and_a_rehearsal_change_nothing_and_tell_what_would_happen(world: World) -> None:
    updated = world.document("updated.md", "first")
    world.promote()
    world.edit(updated, "second")
    world.document("created.md", "created")
    done = world.promote()
    before = world.state("stage"), world.state("dev"), world.services.promotions.status(done.promotion_id)

    for rehearse in (False, True):
        found = world.services.promotions.preview_rollback(done.promotion_id, rehearse=rehearse)
        assert found.rehearsed == rehearse
        assert found.removed == {"stored_files": 1, "rag_documents": 1}
        assert found.restored == {"stored_files": 1, "rag_documents": 1}
        assert found.points == 4 + 3
        assert found.in_the_way == []
    assert (world.state("stage"), world.state("dev"), world.services.promotions.status(done.promotion_id)) == before

    world.change(world.twin(updated), "stage", title="edited")
    found = world.services.promotions.preview_rollback(done.promotion_id)
    assert len(found.in_the_way) == 1
    assert "edited since" in found.in_the_way[0]


def test_what_is_held_does_not_go_back(world: World) -> None:
    """A created one would be deleted, and an updated one lose what it says."""
    held, free = world.document("held.md"), world.document("free.md")
    done = world.promote()
    holds = world.services.holds("stage")
    placed, _ = holds.place(ADMIN, Held("rag_documents", world.twin(held)), "Case 4711 before the court")
    before = world.state("stage")
    (problem,) = world.services.promotions.preview_rollback(done.promotion_id).in_the_way
    assert "a legal hold is on it" in problem
    world.edit(held, "other words")
    (problem,) = world.services.promotions.preview_promotion("rag_documents", "dev", "stage").errors
    assert "a legal hold is on its twin" in problem
    with pytest.raises(RollbackRefused, match="a legal hold is on it"):
        world.services.promotions.rollback_promotion(done.promotion_id, world.person())
    assert world.state("stage") == before
    part = world.services.promotions.rollback_promotion(done.promotion_id, world.person(), item_ids=[free])
    assert part.by_type["rag_documents"] == 1
    holds.release(placed, ADMIN, "The case is closed now")
    world.services.promotions.rollback_promotion(done.promotion_id, world.person())
    assert world.visible_points("stage") == 0


@pytest.mark.parametrize("part", ["file", "vectors"])
def test_what_was_replaced_must_still_be_there_to_come_back(world: World, part: str) -> None:
    """Else readers would see a row again without its file or its vectors."""
    document = world.document(text="first", chunks=3)
    world.promote()
    stage, twin = world.environment("stage"), world.twin(document)
    before, file = world.row(twin, "stage"), world.file_of(twin, "stage")
    world.edit(document, "second")
    done = world.promote()
    if part == "file":
        stage.objects.delete(stage.settings.get_bucket_name(file.bucket), [file.object_name])
        missing = f"there is no object {file.object_name} any more"
    else:
        collection = stage.settings.get_collection_name(before.collection)
        stage.vectors.delete(collection, point_ids(before.vector_version, 1))
        missing = "1 of its 3 vectors are not there any more"
    now = world.state("stage")

    for rehearse in (False, True):
        found = world.services.promotions.preview_rollback(done.promotion_id, rehearse=rehearse)
        assert (found.in_the_way_count, found.rehearsed) == (1, False)
        assert missing in found.in_the_way[0]
    with pytest.raises(RollbackRefused, match=missing):
        world.services.promotions.rollback_promotion(done.promotion_id, world.person())
    assert world.state("stage") == now
    assert world.services.promotions.status(done.promotion_id).state == PromotionState.SUCCEEDED


def test_a_rehearsal_finds_what_only_the_database_knows(world: World) -> None:
    document = world.document()
    done = world.promote()
    with world.environment("stage").database.begin() as session:
        brought = session.get_one(RagDocument, world.twin(document))
        session.add(
            RagDocument(
                file_id=brought.file_id,
                title="of stage's own",
                collection=brought.collection,
                vector_version=uuid4(),
                point_count=0,
                embedding="test",
            )
        )
    assert world.services.promotions.preview_rollback(done.promotion_id).in_the_way == []
    with pytest.raises(RollbackRefused, match="other rows in stage refer to what it brought"):
        world.services.promotions.preview_rollback(done.promotion_id, rehearse=True)
    part = world.services.promotions.rollback_promotion(done.promotion_id, world.person(), item_ids=[document])
    assert part.by_type == {"rag_documents": 1}, "the file stays with the row of stage's own"


def test_what_is_too_old_stays(timed: World, clock: ManualClock) -> None:
    timed.document()
    done = timed.promote()
    clock.advance(timedelta(days=30))
    assert timed.services.promotions.preview_rollback(done.promotion_id).removed
    clock.advance(timedelta(seconds=1))
    with pytest.raises(PromotionRefused, match="keeps what a rollback needs for 30 days"):
        timed.services.promotions.rollback_promotion(done.promotion_id, timed.person())
    assert timed.services.promotions.status(done.promotion_id).state == PromotionState.SUCCEEDED


def test_before_images_that_were_altered_are_not_restored(world: World) -> None:
    document = world.document(text="first")
    world.promote()
    world.edit(document, "second")
    done = world.promote()
    owner = Database(world.environment("stage").settings.database, owner=True)
    with owner.begin() as session:
        session.execute(text("ALTER TABLE promotion_before_images DISABLE TRIGGER ALL"))
        session.execute(text("""UPDATE promotion_before_images SET image = image || '{"filename": "evil"}'"""))
        session.execute(text("ALTER TABLE promotion_before_images ENABLE TRIGGER ALL"))
    owner.close()
    with pytest.raises(RollbackRefused, match="not those that its receipt tells of"):
        world.services.promotions.rollback_promotion(done.promotion_id, world.person())
    assert world.file_of(world.twin(document), "stage").filename == "guide.md"


def test_a_chain_keeps_its_lineage_hop_by_hop(world: World) -> None:
    document = world.document("guide.md", "first")
    to_stage = world.promote()
    in_stage = world.twin(document)
    file_in_stage = world.row(in_stage, "stage").file_id
    world.change(in_stage, "stage", promotion_status="approved", is_promotable=True)
    to_prod = world.promote(source="stage", target="prod")
    in_prod = world.twin(in_stage, "prod")

    assert world.row(in_prod, "prod").source_id == in_stage
    assert world.row(in_prod, "prod").source_environment == "stage"
    with world.environment("prod").database.begin() as session:
        assert session.get_one(StoredFile, world.row(in_prod, "prod").file_id).source_id == file_in_stage
    way = world.services.promotions.lineage(in_prod)
    assert [(hop.target_environment, hop.source_environment, hop.source_id, hop.promotion_id) for hop in way] == [
        ("prod", "stage", in_stage, to_prod.promotion_id),
        ("stage", "dev", document, to_stage.promotion_id),
    ]
    assert world.visible_points("prod") == 3
    assert world.services.promotions.lineage(uuid4()) == []

    straight = world.document("straight.md", "straight to prod")
    world.promote(straight, target="prod", by=(ADMIN, "soraya@demo.wisqu.com"))
    there = world.twin(straight, "prod")
    assert [hop.source_id for hop in world.services.promotions.lineage(there)] == [straight]
    with world.services.control.begin() as session:
        together = {hop.source_id for hop in ancestors(session, [in_prod, there])}
    assert together == {in_stage, document, straight}
    with pytest.raises(RollbackRefused, match="promoted on"):
        world.services.promotions.rollback_promotion(to_stage.promotion_id, world.person())
