"""Legal holds: what is held is neither hidden nor purged, nor goes with its account."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from tests.retention.conftest import Rows
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.audit.verification import verify_environment
from wisqu_pipelines.catalog.models import Conversation, Message, RagDocument, StoredFile, User
from wisqu_pipelines.errors import (
    BadInput,
    HoldNotFound,
    HoldOver,
    ItemNotFound,
    ItemRefused,
    NotPermitted,
    UnknownType,
)
from wisqu_pipelines.holds.models import LegalHold
from wisqu_pipelines.holds.service import Held
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER
from wisqu_pipelines.retention.marking import HELD, NEEDED
from wisqu_pipelines.retention.models import SweepState

WHY = "Case 4711 before the district court"


def hold(rows: Rows, **of: Any) -> UUID:
    return rows.services.holds(rows.name).place(ADMIN, Held(**of), WHY)[0]


def test_a_held_document_stays_with_its_file(rows: Rows) -> None:
    kept, gone = rows.document(), rows.document()
    placed, count = rows.services.holds("dev").place(ADMIN, Held("rag_documents", kept.id), WHY)
    assert count == 1
    report = rows.retention.run().sweep
    assert report.types["rag_documents"].stays == {HELD: 1}
    assert (rows.visible(RagDocument), rows.visible(StoredFile)) == ({kept.id}, {kept.file_id})
    assert gone.id not in rows.visible(RagDocument)
    rows.services.holds("dev").release(placed, ADMIN, "The case is closed now")
    rows.retention.run()
    assert rows.visible(RagDocument) == set()


def test_placing_a_hold_tells_how_much_that_one_holds(rows: Rows) -> None:
    one, _ = rows.document(title="fasting"), rows.document(title="fasting too")
    holds = rows.services.holds("dev")
    assert holds.place(ADMIN, Held(words="fasting"), WHY)[1] == 2
    assert holds.place(ADMIN, Held("rag_documents", one.id), WHY)[1] == 1, "and not what others hold"
    assert {each.placed_by_email for each in holds.list()} == {ADMIN}


def test_a_held_file_keeps_its_documents(rows: Rows) -> None:
    kept = rows.document()
    hold(rows, item_type="stored_files", item_id=kept.file_id)
    rows.retention.run()
    assert rows.visible(RagDocument) == {kept.id}


def test_everything_of_a_person_is_held(rows: Rows) -> None:
    conversation = rows.conversation()
    rows.conversation()
    with rows.environment.database.begin() as session:
        user = session.get_one(Conversation, conversation).user_id
    document = rows.document(owner_id=user)
    rows.document()
    hold(rows, user_id=user)
    rows.retention.run()
    assert rows.visible(Conversation) == {conversation}
    assert len(rows.visible(Message)) == 1
    assert rows.visible(RagDocument) == {document.id}
    assert rows.visible(StoredFile) == {document.file_id}


def test_what_a_query_finds_is_held_also_when_it_comes_later(rows: Rows) -> None:
    hold(rows, item_type="rag_documents", words="Inheritance", created_until=rows.ago(100))
    kept = rows.document(title="On the law of INHERITANCE")
    young = rows.document(50, title="Inheritance, revised")
    other = rows.document(title="On fasting")
    rows.retention.run()
    assert rows.visible(RagDocument) == {kept.id}
    assert {young.id, other.id}.isdisjoint(rows.visible(RagDocument))


def test_a_hold_that_comes_after_the_hiding_stops_the_purge(rows: Rows) -> None:
    kept = rows.document()
    rows.document()
    sweep = rows.retention.run().sweep.sweep_id
    assert sweep is not None
    placed = hold(rows, item_type="rag_documents", item_id=kept.id)
    details = {each.item_id: each.detail for each in rows.retention.items(sweep)}
    assert {details.pop(kept.id), details.pop(kept.file_id), *details.values()} == {HELD, NEEDED, None}
    assert rows.retention.status(sweep).waits == {}, "its grace time is not over"
    rows.end_grace(sweep)
    waits = {HELD: 1, NEEDED: 1}
    (told,) = rows.retention.rehearse().earlier
    assert told.waits == waits
    assert told.because == f"2 wait ({HELD}: 1, {NEEDED}: 1), and the next run purges the rest"
    (after,) = rows.retention.run().earlier
    assert (after.state, after.purged, after.hidden, after.waits) == (SweepState.HIDDEN, 2, 2, waits)
    assert [each.purged_now for each in (after, *rows.retention.go_on())] == [2, 0], "what another night has purged"
    assert (rows.count(RagDocument), rows.count(StoredFile)) == (1, 1)
    rows.services.holds("dev").release(placed, ADMIN, "The case is closed now")
    assert rows.retention.status(sweep).because is None
    (done,) = rows.retention.run().earlier
    assert (done.state, done.purged) == (SweepState.PURGED, 4)


def test_a_hold_ends_with_its_time(rows: Rows) -> None:
    document = rows.document()
    holds = rows.services.holds("dev")
    placed, _ = holds.place(ADMIN, Held("rag_documents", document.id), WHY, rows.ago(-1))
    assert [each.id for each in holds.list()] == [placed]
    rows.retention.run()
    assert rows.visible(RagDocument) == {document.id}
    with rows.environment.database.begin() as session:
        session.execute(update(LegalHold).values(until=rows.ago(0)))
    assert holds.list() == []
    assert [each.is_in_force for each in holds.list(everything=True)] == [False]
    rows.retention.run()
    assert rows.visible(RagDocument) == set()


def test_a_test_account_stays_while_something_of_it_is_held(rows: Rows) -> None:
    developer = rows.services.developer(_person(rows, DEVELOPER), "stage")
    stage = Rows(rows.services, "stage")
    account = rows.services.test_accounts("stage").create(developer, "Debugging issue 4711")
    document = stage.document(1, owner_id=account.id)
    placed = hold(stage, item_type="stored_files", item_id=document.file_id)
    with pytest.raises(ItemRefused, match="a legal hold is on it"):
        rows.services.test_accounts("stage").delete(developer, account.id)
    stage.change(User, account.id, test_expires_at=rows.ago(1))
    assert rows.services.test_accounts("stage").expire() == []
    assert stage.count(RagDocument) == 1
    rows.services.holds("stage").release(placed, ADMIN, "The case is closed now")
    assert len(rows.services.test_accounts("stage").expire()) == 1
    assert stage.count(RagDocument) == 0


def test_who_may_and_what_is_written_down(rows: Rows) -> None:
    document = rows.document()
    holds = rows.services.holds("dev")
    with pytest.raises(NotPermitted):
        holds.place(DEVELOPER, Held("rag_documents", document.id), WHY)
    placed = hold(rows, item_type="rag_documents", item_id=document.id)
    with pytest.raises(NotPermitted):
        holds.release(placed, DEVELOPER, "The case is closed now")
    holds.release(placed, ADMIN, "The case is closed now")
    with pytest.raises(HoldOver):
        holds.release(placed, ADMIN, "The case is closed now")
    with pytest.raises(HoldNotFound):
        holds.release(uuid4(), ADMIN, "The case is closed now")
    with rows.environment.database.begin() as session:
        told = session.scalars(
            select(DeveloperAction).where(DeveloperAction.action.like("hold_%")).order_by(DeveloperAction.sequence)
        ).all()
    assert [(each.action, each.reason) for each in told] == [
        ("hold_placed", WHY),
        ("hold_released", "The case is closed now"),
    ]
    assert all((each.details or {})["item_id"] == str(document.id) for each in told)
    assert verify_environment(rows.services.control, rows.environment.database, "dev").holds


@pytest.mark.parametrize(
    ("of", "error"),
    [
        (Held(), BadInput),
        (Held("rag_documents"), BadInput),
        (Held(item_id=UUID(int=1)), BadInput),
        (Held("documents", UUID(int=1)), UnknownType),
        (Held("rag_documents", UUID(int=1)), ItemNotFound),
        (Held(user_id=UUID(int=1)), ItemNotFound),
        (Held(words=" "), BadInput),
        (Held(words="x" * 201), BadInput),
        (Held(words="a\x00b"), BadInput),
    ],
)
def test_what_cannot_be_held_is_refused(rows: Rows, of: Held, error: type[Exception]) -> None:
    with pytest.raises(error):
        rows.services.holds("dev").place(ADMIN, of, WHY)
    assert rows.services.holds("dev").list() == []


def test_a_hold_needs_a_reason_and_an_end_that_is_to_come(rows: Rows) -> None:
    document = rows.document()
    with pytest.raises(BadInput):
        rows.services.holds("dev").place(ADMIN, Held("rag_documents", document.id), "court")
    with pytest.raises(BadInput, match="has passed"):
        rows.services.holds("dev").place(
            ADMIN, Held("rag_documents", document.id), WHY, rows.ago(0) - timedelta(hours=1)
        )


def _person(rows: Rows, email: str) -> UUID:
    with rows.services.control.begin() as session:
        return people.find(session, email).id
