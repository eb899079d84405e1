"""Rows that are due, rows that must stay and a person who asks to be forgotten, and what must come of each deed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

from sqlalchemy import select

from tests.erasure.conftest import a_person
from tests.faults.deeds import WHY, Deed
from tests.faults.pictures import Picture, pictures
from tests.faults.worlds import FaultWorld
from tests.retention.conftest import OLD, Rows
from wisqu_pipelines.accounts.removal import Belongings
from wisqu_pipelines.audit.canonical import digest
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import Message, PromotionBeforeImage, RagDocument, TestDataMark
from wisqu_pipelines.erasure.report import ErasurePreview
from wisqu_pipelines.holds.service import Held
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN
from wisqu_pipelines.retention.marking import APPROVED, HELD, PROMOTED, PROMOTING
from wisqu_pipelines.retention.models import SweepState
from wisqu_pipelines.retention.report import SweepReport

DUE, HIDDEN, OVER = "due", "hidden", "grace time is over"
DOCUMENTS = 5
"""That are due in each place, each with a file of its own."""
TEST_DAYS = 8
TALKS, PAPERS = ("messages", "conversations"), ("rag_documents", "stored_files")
NOTHING: frozenset[UUID] = frozenset()


@dataclass(frozen=True)
class Scene:
    """One deed, what there was before it, and what must have come of it in the end."""

    deed: Deed
    place: str
    about: UUID
    """Which sweep or erasure; of a sweep that is not begun yet: anything."""
    saved: str
    before: Mapping[str, Picture]
    told: Callable[[Services], Iterator[str]]
    """What the deed's own record says wrongly."""
    action: str
    """What the place's audit calls it."""
    hides: frozenset[UUID] = NOTHING
    gives_back: frozenset[UUID] = NOTHING
    removes: frozenset[UUID] = NOTHING

    @property
    def touched(self) -> frozenset[UUID]:
        """The rows that something becomes of."""
        return self.hides | self.gives_back | self.removes

    def wanted(self, place: str) -> Picture:
        """What must be there in the end, whenever it was hidden."""
        before = self.before[place]
        if place != self.place:
            return before
        return before.changed(hides=self.hides, gives_back=self.gives_back, removes=self.removes)


def prepared(world: FaultWorld, services: Services) -> list[Scene]:
    """Make the rows, save the world as each deed finds it, and say what must come of it."""
    dev, prod = Rows(services), Rows(services, "prod")
    due, talks = _papers(dev) | _talk(dev), _talk(prod)
    _papers(prod)  # nobody approves that they go
    _staying(dev)
    asked = _asked(prod, TALKS)
    _asked(prod, PAPERS)
    prod.retention.approve(asked, SUPERADMIN)
    erasure, preview, belongings = _person(services)
    stays = {APPROVED: 1, HELD: 1, PROMOTED: 2, PROMOTING: 2}
    promise, promise_there = dev.retention.foretell(), prod.retention.status(asked)
    assert promise.types["rag_documents"].stays == stays
    world.save(DUE)
    before = pictures(world)
    swept = partial(_swept, promise=promise, place="dev", ids=due)
    there = partial(_swept, promise=promise_there, place="prod", ids=talks)
    erased = partial(_erased, erasure=erasure, preview=preview, ids=belongings)
    scenes = [
        Scene(Deed.SWEEP, "dev", uuid4(), DUE, before, swept, "retention_hidden", hides=due),
        Scene(Deed.HIDE_APPROVED, "prod", asked, DUE, before, there, "retention_hidden", hides=talks),
        Scene(Deed.ERASE, "dev", erasure, DUE, before, erased, "erased", removes=belongings),
    ]

    sweep = dev.retention.run().sweep.sweep_id
    assert sweep is not None
    kept = _held(dev, due)
    world.save(HIDDEN)
    back = partial(_counted, sweep=sweep, state=SweepState.REJECTED, counts={"restored": len(due)})
    scenes.append(
        Scene(Deed.RESTORE, "dev", sweep, HIDDEN, pictures(world), back, "retention_restored", gives_back=due)
    )

    dev.end_grace(sweep)
    world.save(OVER)
    counts = {"purged": len(due - kept), "hidden": len(kept)}
    purged = partial(_counted, sweep=sweep, state=SweepState.HIDDEN, counts=counts)  # what is held goes another day
    scenes.append(
        Scene(Deed.PURGE, "dev", sweep, OVER, pictures(world), purged, "retention_purged", removes=due - kept)
    )
    return scenes


def _papers(rows: Rows) -> frozenset[UUID]:
    """Documents with their files, and test data whose file is no test data and so stays."""
    documents = [rows.document(OLD) for _ in range(DOCUMENTS)]
    test = rows.document(TEST_DAYS, is_test_data=True, test_data_reason="lorem ipsum")
    return frozenset({test.id} | {id_ for each in documents for id_ in (each.id, each.file_id)})


def _talk(rows: Rows) -> frozenset[UUID]:
    talk = rows.conversation(OLD, (OLD,) * DOCUMENTS)
    with rows.environment.database.begin() as session:
        return frozenset({talk, *session.scalars(select(Message.id).where(Message.conversation_id == talk))})


def _staying(rows: Rows) -> None:
    """Documents that are old and must stay, each for another reason, and a young one."""
    planned = rows.document(OLD, promotion_status="approved", is_promotable=True)
    rows.services.promotions.preview_promotion("rag_documents", "dev", "stage")
    rows.change(RagDocument, planned.id, promotion_status="draft")
    for status in ("approved", "promoting", "promoted"):
        rows.document(OLD, promotion_status=status)
    rows.document(OLD, source_id=uuid4(), source_environment="stage")
    held = rows.document(OLD)
    rows.services.holds(rows.name).place(ADMIN, Held("rag_documents", held.id), WHY)
    rows.document(1)


def _asked(rows: Rows, types: tuple[str, ...]) -> UUID:
    """A sweep that waits for a yes."""
    sweep = rows.retention.run(types, person=ADMIN, reason=WHY).sweep
    assert sweep.sweep_id is not None
    assert sweep.state == SweepState.WAITING
    return sweep.sweep_id


def _held(rows: Rows, due: frozenset[UUID]) -> frozenset[UUID]:
    """Hold a message that is hidden already; returns it and its talk, which stays with it."""
    with rows.environment.database.begin() as session:
        wanted = select(Message.id, Message.conversation_id).where(Message.id.in_(due))
        message, talk = session.execute(wanted.limit(1)).one()
    rows.services.holds(rows.name).place(ADMIN, Held("messages", message), WHY)
    return frozenset({message, talk})


def _person(services: Services) -> tuple[UUID, ErasurePreview, frozenset[UUID]]:
    """Somebody whose erasure two people want; with what it is to take."""
    person = a_person(services)
    for _ in range(DOCUMENTS):
        person.rows.document(1, owner_id=person.id)
    erasure = person.approved()
    preview = person.erasures.preview("dev", person.id)
    with person.rows.environment.database.begin() as session:
        wanted = [select(model.id).where(own) for model, own in Belongings(person.id).conditions()]
        ids = frozenset(id_ for each in wanted for id_ in session.scalars(each))
    assert sum(preview.rows.values()) == len(ids)
    return erasure, preview, ids


def _swept(services: Services, promise: SweepReport, place: str, ids: frozenset[UUID]) -> Iterator[str]:
    """There is one sweep as it was promised, and it has hidden just that."""
    retention = services.retention(place)
    found = [each for each in retention.list() if each.digest == promise.digest]
    if len(found) != 1:
        yield f"there are {len(found)} sweeps with the list that was promised"
        return
    (sweep,) = found
    yield from _counted(services, sweep.sweep_id, SweepState.HIDDEN, {"hidden": len(ids)}, place)
    for name, each in promise.types.items():
        done = sweep.types[name]
        if (done.rows, done.bytes, done.points) != (each.rows, each.bytes, each.points):
            yield f"of {name} it promised {each}, and swept {done}"
    if sweep.sweep_id and {each.item_id for each in retention.items(sweep.sweep_id)} != ids:
        yield "its list is not what is due"


def _counted(
    services: Services, sweep: UUID | None, state: SweepState, counts: Mapping[str, int], place: str = "dev"
) -> Iterator[str]:
    """A sweep's record says what was done, and nothing else."""
    assert sweep is not None
    report = services.retention(place).status(sweep)
    if report.state != state:
        yield f"the sweep is {report.state}"
    for name in ("hidden", "purged", "restored", "kept"):
        if getattr(report, name) != counts.get(name, 0):
            yield f"its record says {name}: {getattr(report, name)}, and it is {counts.get(name, 0)}"


def _erased(services: Services, erasure: UUID, preview: ErasurePreview, ids: frozenset[UUID]) -> Iterator[str]:
    """The certificate names all that was foretold, and nothing of the person is kept elsewhere."""
    report = services.erasures.status(erasure)
    if report.state != "done":
        yield f"the erasure is {report.state}"
        return
    told = services.erasures.certificate(erasure)
    rows = told["certificate"]["rows"]
    if Counter(each["type"] for each in rows) != Counter(preview.rows) or dict(report.rows) != dict(preview.rows):
        yield f"the preview said {preview.rows}, and the certificate {report.rows}"
    if {UUID(each["id"]) for each in rows} != ids:
        yield "the certificate names other rows"
    if sum(each["vectors"]["points"] for each in rows if "vectors" in each) != preview.points:
        yield "the certificate names other vectors"
    if not digest(told["certificate"]) == told["digest"] == report.digest:
        yield "the certificate has another digest"
    with services.environments["dev"].database.begin() as session:
        for model in (PromotionBeforeImage, TestDataMark):
            if session.scalars(select(model)).first() is not None:
                yield f"something of them is in {model.__tablename__}"
    if services.erasures.reapply("dev", ADMIN):
        yield "something of them was there once more"
