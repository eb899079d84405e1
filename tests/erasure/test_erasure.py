"""Nothing of a person stays, whatever interrupts it, and nothing of them comes back."""

import io
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import delete, event, func, select, update

from tests.erasure.conftest import CASE, EVERY, Person
from tests.promotion.world import World
from wisqu_pipelines.audit.canonical import digest
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.audit.verification import verify_environment
from wisqu_pipelines.catalog.models import PromotionBeforeImage, RagDocument, StoredFile, TestDataMark, User
from wisqu_pipelines.erasure import involved
from wisqu_pipelines.erasure.models import Erasure
from wisqu_pipelines.errors import ErasureRefused, ItemRefused, NotPermitted
from wisqu_pipelines.holds.service import Held
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN
from wisqu_pipelines.promotion.models import PromotionState


def actions(person: Person, beginning: str = "erased") -> list[DeveloperAction]:
    with person.rows.environment.database.begin() as session:
        wanted = select(DeveloperAction).where(DeveloperAction.action.startswith(beginning))
        return list(session.scalars(wanted.order_by(DeveloperAction.sequence)))


def test_nothing_of_them_stays_and_everybody_else_is_untouched(person: Person) -> None:
    other = person.rows.document(1, owner_id=person.rows.user())
    earlier = f"stored_files/{person.document.file_id}/0/earlier"
    person.rows.environment.objects.put(person.rows.bucket, earlier, io.BytesIO(b"x"), 1)
    told = person.erasures.preview("dev", person.id)
    assert told.rows == {
        "messages": 1, "conversations": 1, "rag_documents": 1, "stored_files": 1, "user_storage_quotas": 1, "users": 1
    }  # fmt: skip
    assert (told.points, told.is_held, told.promotions, told.copies) == (2, False, [], [])

    done = person.erased()
    assert (done.state, done.rows) == ("done", told.rows)
    assert person.rows.visible(RagDocument) == {other.id}
    assert person.rows.stored() == (1, 2)
    with person.rows.environment.database.begin() as session:
        for model in (PromotionBeforeImage, TestDataMark):
            assert session.scalar(select(func.count()).select_from(model)) == 0
    certificate = person.erasures.certificate(done.id)
    assert digest(certificate["certificate"]) == certificate["digest"]
    (line,) = actions(person)
    assert line.details is not None
    assert (line.action, line.details["digest"]) == ("erased", certificate["digest"])
    said = json.dumps(dict(certificate))
    assert not any(word in said for word in ("divorce", "husband", "example.org", person.document.title))
    control = person.rows.services.control
    assert verify_environment(control, person.rows.environment.database, "dev").holds
    assert person.erasures.run(done.id, ADMIN) == done


def test_it_takes_two_people_of_the_right_role(person: Person) -> None:
    with pytest.raises(NotPermitted):
        person.erasures.request("dev", person.id, DEVELOPER, CASE)
    asked = person.erasures.request("dev", person.id, ADMIN, CASE)
    with pytest.raises(ErasureRefused, match="requested already"):
        person.erasures.request("dev", person.id, SUPERADMIN, CASE)
    with pytest.raises(ErasureRefused, match="it is requested"):
        person.erasures.run(asked.id, ADMIN)
    with pytest.raises(NotPermitted, match="asked for it themselves"):
        person.erasures.approve(asked.id, ADMIN)
    assert person.erasures.reject(asked.id, SUPERADMIN, "They took their wish back").state == "rejected"
    with pytest.raises(ErasureRefused, match="it is rejected"):
        person.erasures.approve(asked.id, SUPERADMIN)
    assert person.left() == 6


def test_who_asks_and_who_says_yes_is_written_down_before_anything_goes(person: Person) -> None:
    erasure = person.approved()
    with person.rows.services.control.begin() as session:
        asked, said_yes = (people.find(session, each).id for each in (ADMIN, SUPERADMIN))
    lines = actions(person, "erasure_")
    assert [(each.action, each.developer_id, each.reason) for each in lines] == [
        ("erasure_requested", asked, CASE),
        ("erasure_approved", said_yes, None),
    ]
    assert all(each.details and each.details["erasure_id"] == str(erasure) for each in lines)


def test_a_row_in_the_ledger_approves_nothing(person: Person) -> None:
    asked = person.erasures.request("dev", person.id, ADMIN, CASE)
    with person.rows.services.control.begin() as session:
        values = {
            "state": "approved",
            "approved_by": uuid4(),
            "approved_at": person.rows.ago(0),
            "signature": "e30.e30",
        }
        session.execute(update(Erasure).values(**values))
    with pytest.raises(ErasureRefused, match="not signed"):
        person.erasures.run(asked.id, ADMIN)
    assert person.left() == 6


def test_an_approval_lapses(person: Person) -> None:
    erasure = person.approved()
    with person.rows.services.control.begin() as session:
        session.execute(update(Erasure).values(approved_at=Erasure.approved_at - timedelta(hours=73)))
    with pytest.raises(ErasureRefused, match="72 hours"):
        person.erasures.run(erasure, ADMIN)
    assert person.left() == 6


def test_what_is_held_stays(person: Person) -> None:
    erasure = person.approved()
    holds = person.rows.services.holds("dev")
    holds.place(ADMIN, Held("rag_documents", person.document.id), "Case 4711 before the district court")
    assert person.erasures.preview("dev", person.id).is_held
    with pytest.raises(ItemRefused, match="legal hold"):
        person.erasures.run(erasure, ADMIN)
    assert person.rows.visible(User) == {person.id}


def test_a_running_promotion_is_named_and_copies_are_told(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(person.rows.services)
    document = world.document(name="divorce.md")
    person.rows.change(StoredFile, world.file_of(document).id, owner_id=person.id)
    planned = world.services.promotions.preview_promotion(
        RagDocument, "dev", "stage", [document], requested_by_user_id=world.person()
    )
    erasure = person.approved()
    with monkeypatch.context() as patched:
        patched.setattr(involved, "RUNNING", (PromotionState.PLANNED,))  # as if it were under way
        with pytest.raises(ErasureRefused, match=str(planned.promotion_id)):
            person.erasures.run(erasure, ADMIN)
    assert person.rows.visible(User) == {person.id}
    world.services.approvals.grant(planned.promotion_id, ADMIN)
    world.services.promotions.execute(planned.promotion_id, run_id="test")
    asked: list[str] = []
    event.listen(person.rows.services.control.engine, "before_cursor_execute", lambda *what: asked.append(what[2]))
    told = person.erasures.preview("dev", person.id)
    assert sum("WITH RECURSIVE" in each for each in asked) == len(told.rows) < sum(told.rows.values())
    copies = told.copies
    assert {(each.environment, each.item_type, each.rows) for each in copies} == {
        ("stage", "rag_documents", 1),
        ("stage", "stored_files", 1),
    }
    assert person.erasures.run(erasure, ADMIN).state == "done"


class _Broken(Exception):
    """A store or a process that ends in the middle."""


@pytest.mark.parametrize(
    "where",
    [
        "wisqu_pipelines.erasure.service.remove",
        "wisqu_pipelines.storage.qdrant.QdrantVectorIndex.delete",
        "wisqu_pipelines.storage.s3.S3ObjectStore.delete",
        "wisqu_pipelines.accounts.traces.forget",
        "wisqu_pipelines.erasure.service.append",
        "wisqu_pipelines.erasure.service.ErasureService._finish",
    ],
)
def test_interrupted_anywhere_the_next_run_finishes_with_the_same_list(
    person: Person, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    erasure = person.approved()
    with person.rows.environment.database.begin() as session:
        ids = {str(each) for model in (User, StoredFile, RagDocument) for each in session.scalars(select(model.id))}

    def broken(*_: object, **__: object) -> None:
        raise _Broken

    with monkeypatch.context() as patched:
        patched.setattr(where, broken)
        with pytest.raises(_Broken):
            person.erasures.run(erasure, ADMIN)
    assert person.rows.visible(User) == person.rows.visible(RagDocument) == set()
    assert person.erasures.status(erasure).state == "running"

    assert person.erasures.run(erasure, ADMIN).state == "done"
    assert (person.left(), person.rows.stored()) == (0, (0, 0))
    told = person.erasures.certificate(erasure)
    assert ids <= {row["id"] for row in told["certificate"]["rows"]}
    assert len(told["certificate"]["rows"]) == 6
    (line,) = actions(person)
    assert line.details is not None
    assert line.details["digest"] == told["digest"]


def test_a_hash_is_that_of_the_row_before_it_was_hidden(person: Person) -> None:
    restore = person.saved()
    first = person.erasures.certificate(person.erased().id)["certificate"]["rows"]
    restore()
    second = person.erasures.certificate(person.erased().id)["certificate"]["rows"]
    assert first == second


def test_what_a_backup_brings_back_is_erased_again(person: Person) -> None:
    restore = person.saved()
    done = person.erased()
    assert person.erasures.reapply("dev", ADMIN) == []
    restore()
    assert (person.left(), person.rows.stored()) == (6, (1, 2))
    (again,) = person.erasures.reapply("dev", ADMIN)
    assert (again.erasure_id, again.rows, again.files, again.points) == (done.id, 6, 1, 2)
    assert (person.left(), person.rows.stored()) == (0, (0, 0))
    assert [each.action for each in actions(person)] == ["erased", "erased_again"]
    assert person.erasures.status(done.id).again == 1
    assert person.erasures.reapply("dev", ADMIN) == []


def test_files_and_points_that_come_back_without_rows_go_as_well(person: Person) -> None:
    restore = person.saved()
    person.erased()
    restore()
    with person.rows.environment.database.begin() as session:
        for model in reversed(EVERY):
            session.execute(delete(model))
    (again,) = person.erasures.reapply("dev", ADMIN)
    assert (again.rows, again.files, again.points) == (0, 1, 2)
    assert person.rows.stored() == (0, 0)


def test_who_comes_anew_is_not_erased_again(person: Person) -> None:
    person.erased()
    with person.rows.environment.database.begin() as session:
        session.add(User(id=person.id, email="back@example.org", role="user"))
    assert person.erasures.reapply("dev", ADMIN) == []
    assert person.rows.visible(User) == {person.id}
