"""Reading back what was published: it finds what is wrong, and what then happens is the policy's business."""

import io
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import update

from tests.promotion.world import World
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.errors import PathHeld, VerificationFailed
from wisqu_pipelines.holds.service import Held
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN
from wisqu_pipelines.ports.vectors import Point
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
