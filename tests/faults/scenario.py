"""The promotion that the campaign breaks: one document is new, one has changed, one has not."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from tests.faults.invariants import State, invariants, look
from tests.faults.points import Moment, Point
from tests.faults.worlds import FaultWorld
from tests.promotion.world import World
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.identity.demo_people import DEVELOPER
from wisqu_pipelines.promotion.models import PromotionState

APPROVED = "approved"
PROMOTED = "promoted"
ENDS = SOURCE, TARGET = "dev", "stage"


@dataclass(frozen=True)
class Scenario:
    """An approved promotion, what it comes to without faults, and every call that it makes."""

    promotion_id: UUID
    before: dict[str, State]
    after: dict[str, State]
    promoting: tuple[Point, ...]
    """Every moment of a promotion at which something can go wrong."""
    rolling_back: tuple[Point, ...]


def prepared(world: FaultWorld) -> Scenario:
    """Make the scenario, save it before and after the promotion, and prove that it holds without faults."""
    plain = world.plain()
    plain.document("own.md", "Stage's own", env=TARGET)
    changed, same = plain.document("changed.md", "It was so"), plain.document("same.md", "It stays")
    promote(plain, changed, same)
    plain.document("new.md", "It is new")
    edited(world, changed, "It is otherwise")
    plain.change(same, SOURCE, promotion_status="approved")
    promotion_id = approved(plain)
    world.save(APPROVED)
    before = look(world, *ENDS)

    plain = world.start()
    assert plain.services.promotions.execute(promotion_id, run_id="first").state == PromotionState.SUCCEEDED
    promoting = tuple(world.process.seen)
    after = look(world, *ENDS)
    assert (found := invariants(after)) == [], found
    world.plain().services.promotions.request_rollback(promotion_id, DEVELOPER)
    world.save(PROMOTED)

    plain = world.start()
    assert plain.services.promotions.rollback(promotion_id, run_id="first").state == PromotionState.ROLLED_BACK
    rolling_back = tuple(world.process.seen)
    back = look(world, *ENDS)
    assert (found := invariants(back)) == [], found
    assert all(back[name].whole() == before[name].whole() for name in ENDS)
    return Scenario(promotion_id, before, after, promoting, rolling_back)


def edited(world: FaultWorld, document: UUID, text: str) -> None:
    """Give a document of the source another content, and remove what it had."""
    plain, source = world.plain(), world.environments[SOURCE]
    row, file = plain.row(document), plain.file_of(document)
    plain.edit(document, text)
    source.vectors.delete(world.collection(source), point_ids(row.vector_version, row.point_count))
    source.objects.delete(world.bucket(source), [file.object_name])


def promote(world: World, *documents: UUID) -> None:
    """Promote documents, from preview to the end."""
    world.services.promotions.execute(approved(world, *documents), run_id="earlier")


def approved(world: World, *documents: UUID) -> UUID:
    """Preview and approve the promotion of documents (none: of all)."""
    planned = world.services.promotions.preview_promotion(
        "rag_documents", SOURCE, TARGET, list(documents) or None, requested_by_user_id=world.person()
    )
    world.services.approvals.grant(planned.promotion_id, DEVELOPER)
    return planned.promotion_id


def calls(points: Iterable[Point]) -> list[Point]:
    """The moments of calls to a port; statements inside of a transaction are another matter."""
    return [point for point in points if point.moment is not Moment.STATEMENT]
