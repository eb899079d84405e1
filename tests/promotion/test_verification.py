"""Reading back what was published: it finds what is wrong, and what then happens is the policy's business."""

import io
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from tests.promotion.world import World
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.errors import PathHeld, RollbackRefused, VerificationFailed
from wisqu_pipelines.holds.service import Held
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.promotion import verification
from wisqu_pipelines.promotion.execution import Execution
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.promotion.rollback import Rollback
from wisqu_pipelines.promotion.verification import Verification


def spoil_bytes(world: World, env: str, document: UUID) -> None:
    environment, file = world.environment(env), world.file_of(document, env)
    bucket = environment.settings.get_bucket_name(file.bucket)
    environment.objects.delete(bucket, [file.object_name])
    environment.objects.put(bucket, file.object_name, io.BytesIO(b"x" * file.file_size_bytes), file.file_size_bytes)


def spoil_vector(world: World, env: str, document: UUID) -> None:
    environment, row = world.environment(env), world.row(document, env)
    collection = environment.settings.get_collection_name(row.collection)
    (first,) = environment.vectors.retrieve(collection, point_ids(row.vector_version, 1)).values()
    turned = [-number for number in first.vector]
    environment.vectors.upsert(collection, [Point(first.id, turned, first.payload)])


def lose_vector(world: World, env: str, document: UUID) -> None:
    environment, row = world.environment(env), world.row(document, env)
    environment.vectors.delete(
        environment.settings.get_collection_name(row.collection), point_ids(row.vector_version, 1)
    )


def change_row(world: World, env: str, document: UUID) -> None:
    world.change(document, env, language="fa")


def lose_row(world: World, env: str, document: UUID) -> None:
    with world.environment(env).database.begin() as session:
        session.delete(session.get_one(RagDocument, document))


def another_object(world: World, env: str, document: UUID) -> None:
    with world.environment(env).database.begin() as session:
        file_id = session.get_one(RagDocument, document).file_id
        session.execute(update(StoredFile).where(StoredFile.id == file_id).values(object_name="another"))


DAMAGE: dict[str, tuple[Callable[[World, str, UUID], None], str]] = {
    "bytes": (spoil_bytes, "whose bytes have SHA-256"),
    "vector": (spoil_vector, "has other vectors"),
    "lost vector": (lose_vector, "has 2 of its 3 vectors"),
    "row": (change_row, "has another row"),
    "lost row": (lose_row, "has no row"),
    "object name": (another_object, "names another object"),
}


def damaged_after_publishing(
    world: World, monkeypatch: pytest.MonkeyPatch, env: str, damage: Callable[[World, str, UUID], None], source: UUID
) -> None:
    """Between the receipt and the verification something breaks in the target."""
    real = Verification.run

    def run(self: Verification, progress: object) -> object:
        damage(world, env, world.twin(source, env))
        return real(self, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(Verification, "run", run)


@pytest.mark.parametrize(("damage", "finding"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_wrong_is_found_and_the_path_is_held(
    world: World, monkeypatch: pytest.MonkeyPatch, damage: Callable[[World, str, UUID], None], finding: str
) -> None:
    document = world.document("guide.md", "a text of its own")
    world.document("fine.md", "another text")
    with monkeypatch.context() as patch:
        damaged_after_publishing(world, patch, "stage", damage, document)
        with pytest.raises(VerificationFailed, match=finding) as failure:
            world.promote()
    report = world.services.promotions.status(UUID(failure.value.details["promotion_id"]))

    assert report.state == PromotionState.SUCCEEDED, "dev->stage reports, and takes nothing back"
    assert report.verification is not None
    assert report.verification["outcome"] == "failed"
    assert any(finding in each for each in report.verification["findings"])
    with pytest.raises(PathHeld, match="did not pass"):
        world.promote(world.document("next.md"))
    world.services.freezes.release("dev->stage", ADMIN, "looked at it, and mended it")
    assert world.promote(world.document("after.md")).state == PromotionState.SUCCEEDED


@pytest.mark.parametrize("damage", [damage for damage, _ in DAMAGE.values()], ids=DAMAGE)
def test_into_prod_it_is_taken_back_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, damage: Callable[[World, str, UUID], None]
) -> None:
    """Also a row that is another one than was planned: what is wrong with it is no reason to leave it there."""
    document = world.document(env="stage")
    before = world.state("prod"), world.state("stage")
    with monkeypatch.context() as patch:
        damaged_after_publishing(world, patch, "prod", damage, document)
        with pytest.raises(VerificationFailed, match="rolled back") as failure:
            world.promote(source="stage", target="prod")
    report = world.services.promotions.status(UUID(failure.value.details["promotion_id"]))

    assert report.state == PromotionState.ROLLED_BACK
    assert (world.state("prod"), world.state("stage")) == before
    with pytest.raises(PathHeld):
        world.promote(source="stage", target="prod")


def test_an_update_that_is_taken_back_at_once_is_what_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.document(env="stage")
    world.promote(source="stage", target="prod")
    world.edit(document, "second", env="stage")
    before = world.state("prod"), world.state("stage")
    damaged_after_publishing(world, monkeypatch, "prod", change_row, document)
    with pytest.raises(VerificationFailed, match="rolled back"):
        world.promote(source="stage", target="prod")
    assert (world.state("prod"), world.state("stage")) == before


def reported(
    world: World, monkeypatch: pytest.MonkeyPatch, damage: Callable[[World, str, UUID], None], source: UUID
) -> UUID:
    """A promotion to stage, where a failed verification takes nothing back; returns its id."""
    with monkeypatch.context() as patch:
        damaged_after_publishing(world, patch, "stage", damage, source)
        with pytest.raises(VerificationFailed, match="it stays") as failure:
            world.promote()
    return UUID(failure.value.details["promotion_id"])


@pytest.mark.parametrize("damage", [change_row, lose_row])
def test_what_was_only_reported_is_taken_back_by_a_person_and_promoted_again(
    world: World, monkeypatch: pytest.MonkeyPatch, damage: Callable[[World, str, UUID], None]
) -> None:
    """And the preview, the rehearsal and the rollback say the same of it."""
    document = world.document()
    before = world.state("stage"), world.state("dev")
    promotion = reported(world, monkeypatch, damage, document)
    for rehearse in (False, True):
        found = world.services.promotions.preview_rollback(promotion, rehearse=rehearse)
        assert (found.in_the_way, found.rehearsed) == ([], rehearse)
    done = world.services.promotions.rollback_promotion(promotion, world.person(), "it did not arrive whole")
    assert done.state == PromotionState.ROLLED_BACK
    assert (world.state("stage"), world.state("dev")) == before

    world.services.freezes.release("dev->stage", ADMIN, "what changed the rows is mended")
    assert world.promote().state == PromotionState.SUCCEEDED
    assert world.row(world.twin(document), "stage").language == world.row(document).language


def test_an_update_that_was_only_reported_is_what_it_was_once_a_person_takes_it_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = world.document(text="first")
    world.promote()
    before = world.state("stage")
    world.edit(document, "second")
    promotion = reported(world, monkeypatch, change_row, document)
    world.services.promotions.rollback_promotion(promotion, world.person(), item_ids=[document])
    assert world.state("stage") == before
    world.services.freezes.release("dev->stage", ADMIN, "what changed the rows is mended")
    assert world.promote().by_type == {"stored_files": 1, "rag_documents": 1}


def edit_again(world: World, twin: UUID) -> None:
    world.change(twin, "stage", title="somebody's own title")


def come_back(world: World, twin: UUID) -> None:
    stage = world.environment("stage")
    with stage.database.begin() as session:
        of_stage = session.scalars(select(StoredFile)).one()
        session.add(
            RagDocument(
                id=twin,
                file_id=of_stage.id,
                title="somebody's own",
                collection="test",
                vector_version=uuid4(),
                point_count=0,
                embedding="test",
            )
        )


@pytest.mark.parametrize(("damage", "later"), [(change_row, edit_again), (lose_row, come_back)])
def test_what_somebody_edited_after_it_was_read_back_is_theirs(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[World, str, UUID], None],
    later: Callable[[World, UUID], None],
) -> None:
    document = world.document()
    twins: list[UUID] = []

    def noted(world: World, env: str, twin: UUID) -> None:
        twins.append(twin)
        damage(world, env, twin)

    promotion = reported(world, monkeypatch, noted, document)
    later(world, twins[0])
    before = world.state("stage")
    for rehearse in (False, True):
        found = world.services.promotions.preview_rollback(promotion, rehearse=rehearse)
        assert (found.in_the_way_count, found.rehearsed) == (1, False)
        assert "it was edited since" in found.in_the_way[0]
    with pytest.raises(RollbackRefused, match=r"guide\.md.*it was edited since"):
        world.services.promotions.rollback_promotion(promotion, world.person())
    assert world.state("stage") == before


def test_what_somebody_edits_while_it_goes_back_by_itself_is_theirs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One rule for both: what goes back by itself is what was read back, too."""
    document = world.document(env="stage")
    real = Rollback._rows

    def edited_before(self: Rollback) -> object:
        world.change(world.twin(document, "prod"), "prod", title="somebody's own title")
        return real(self)

    damaged_after_publishing(world, monkeypatch, "prod", change_row, document)
    monkeypatch.setattr(Rollback, "_rows", edited_before)
    with pytest.raises(VerificationFailed, match=r"it stays, as it could not be rolled back .*edited since"):
        world.promote(source="stage", target="prod")
    assert world.row(world.twin(document, "prod"), "prod").title == "somebody's own title"


def test_a_sample_that_is_wrong_is_followed_by_all_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What turned one row into another turned others as well, and all of them can go back."""
    document = world.document("one.md", "one")
    for name in ("two.md", "three.md"):
        world.document(name, name)

    def change_all(world: World, env: str, twin: UUID) -> None:
        with world.environment(env).database.begin() as session:
            session.execute(update(RagDocument).values(language="fa"))

    monkeypatch.setattr(verification, "SAMPLE", 1)
    promotion = reported(world, monkeypatch, change_all, document)
    report = world.services.promotions.status(promotion)
    assert report.steps["differed"] == 3
    assert report.verification is not None
    assert report.verification["checks"]["rows"] == {"checked": 6, "failed": 3}
    assert report.verification["checks"]["files"]["checked"] == 1
    done = world.services.promotions.rollback_promotion(promotion, world.person())
    assert done.state == PromotionState.ROLLED_BACK
    assert not any(world.state("stage")["rows"].values())


def test_what_a_run_that_died_had_read_is_read_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.document()
    with monkeypatch.context() as patch:
        damaged_after_publishing(world, patch, "stage", change_row, document)
        patch.setattr(Verification, "_count", die)
        with pytest.raises(KeyboardInterrupt):
            world.promote()
    (promotion,) = world.services.promotions.list()
    assert promotion.steps["differed"] == 1
    world.change(world.twin(document), "stage", language=world.row(document).language)
    done = world.services.promotions.resume(promotion.promotion_id, run_id="another", person=world.person())
    assert done.state == PromotionState.SUCCEEDED
    change_row(world, "stage", world.twin(document))
    with pytest.raises(RollbackRefused, match="edited since"):
        world.services.promotions.rollback_promotion(promotion.promotion_id, world.person())


def die(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_a_crash_while_it_is_taken_back_is_resumed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that goes on knows that nobody asked for it, and leaves nothing because its row is another one."""
    document = world.document(env="stage")
    before = world.state("prod"), world.state("stage")

    def crash(self: Rollback) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        damaged_after_publishing(world, patch, "prod", change_row, document)
        patch.setattr(Rollback, "_rows", crash)
        with pytest.raises(KeyboardInterrupt):
            world.promote(source="stage", target="prod")
    (promotion,) = world.services.promotions.list()
    assert promotion.state == PromotionState.ROLLING_BACK
    assert world.services.promotions.rollbacks_requested() == [promotion.promotion_id], "the sensor goes on with it"
    done = world.services.promotions.resume(promotion.promotion_id, run_id="another", person=world.person())
    assert done.state == PromotionState.ROLLED_BACK
    assert (world.state("prod"), world.state("stage")) == before


def test_what_cannot_be_taken_back_at_once_stays_and_the_source_knows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hold_and_spoil(world: World, env: str, document: UUID) -> None:
        world.services.holds(env).place(ADMIN, Held("rag_documents", document), "a court wants it")
        spoil_bytes(world, env, document)

    document = world.document(env="stage")
    with monkeypatch.context() as patch:
        damaged_after_publishing(world, patch, "prod", hold_and_spoil, document)
        with pytest.raises(VerificationFailed, match="it stays, as it could not be rolled back") as failure:
            world.promote(source="stage", target="prod")
    assert "a legal hold is on it" in str(failure.value)
    report = world.services.promotions.status(UUID(failure.value.details["promotion_id"]))

    assert report.state == PromotionState.SUCCEEDED
    row = world.row(document, "stage")
    assert (row.promotion_status, row.held_by_promotion_id) == ("promoted", None)
    with pytest.raises(PathHeld):
        world.promote(world.document(env="stage"), source="stage", target="prod")


def test_what_was_promoted_is_found_by_a_search(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The points are there and right, and yet a search does not find them: only the canary sees that."""
    world.document("guide.md", "a text of its own")
    vectors = world.environment("stage").vectors
    monkeypatch.setattr(vectors, "search", lambda *arguments, **named: [])
    with pytest.raises(VerificationFailed, match="not what a search for its own text finds"):
        world.promote()


def test_every_check_looked_at_something(world: World) -> None:
    world.document("one.md", "one", env="stage")
    world.document("two.md", "two", env="stage")
    done = world.promote(source="stage", target="prod", by=(SUPERADMIN,))

    assert done.verification is not None
    assert done.verification["level"] == "full"
    assert done.verification["outcome"] == "passed"
    checked = {name: each["checked"] for name, each in done.verification["checks"].items()}
    assert checked == {"rows": 4, "files": 2, "vectors": 2, "counts": 2, "retrieval": 2}
    report = world.services.promotions.last_verified("prod")
    assert report is not None
    assert report.verification == done.verification


def test_a_crash_while_reading_back_is_resumed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.document()
    real = Execution._close

    def crash(self: Execution, *arguments: object) -> None:
        monkeypatch.setattr(Execution, "_close", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(Execution, "_close", crash)
    with pytest.raises(KeyboardInterrupt):
        world.promote()
    (promotion,) = world.services.promotions.list()
    assert promotion.state == PromotionState.PUBLISHED
    assert world.services.promotions.ready() == [promotion.promotion_id], "the sensor goes on with it"
    done = world.services.promotions.resume(promotion.promotion_id, run_id="another", person=world.person())
    assert done.state == PromotionState.SUCCEEDED
