"""Where nothing is swept by itself, a sweep waits for somebody else's signed approval."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from tests.retention.conftest import OLD, Rows
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.errors import NotPermitted, SweepRefused
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN
from wisqu_pipelines.ports.clock import SystemClock
from wisqu_pipelines.retention.models import APPROVAL_LASTS, ItemState, Sweep, SweepItem, SweepState

WHY = "Cleaning up after the spring release"


def waiting(prod: Rows) -> UUID:
    """A sweep of one document, asked for by an admin."""
    prod.document(OLD)
    report = prod.retention.run(person=ADMIN, reason=WHY).sweep
    assert report.state == SweepState.WAITING
    assert report.sweep_id is not None
    return report.sweep_id


def change(prod: Rows, sweep: UUID, **columns: object) -> None:
    with prod.environment.database.begin() as session:
        session.execute(update(Sweep).where(Sweep.id == sweep).values(**columns))


def test_it_happens_with_somebody_elses_yes(prod: Rows) -> None:
    with pytest.raises(NotPermitted, match="not cleaned up by itself"):
        prod.retention.run()
    sweep = waiting(prod)
    assert prod.retention.run(person=ADMIN).earlier == ()
    assert len(prod.visible(RagDocument)) == 1
    with pytest.raises(NotPermitted, match="asked for it themselves"):
        prod.retention.approve(sweep, ADMIN)
    with pytest.raises(NotPermitted):
        prod.retention.approve(sweep, DEVELOPER)
    assert prod.retention.approve(sweep, SUPERADMIN).state == SweepState.HIDING
    assert len(prod.visible(RagDocument)) == 1
    (done,) = prod.retention.run(person=ADMIN).earlier
    assert (done.state, done.hidden) == (SweepState.HIDDEN, 2)
    assert prod.visible(RagDocument) == set()
    with pytest.raises(SweepRefused, match="it is hidden"):
        prod.retention.approve(sweep, SUPERADMIN)


def test_the_same_list_is_not_asked_for_twice(prod: Rows) -> None:
    sweep = waiting(prod)
    assert prod.retention.run(person=DEVELOPER).sweep.sweep_id == sweep
    assert [each.sweep_id for each in prod.retention.waiting()] == [sweep]
    prod.document(OLD)
    assert prod.retention.run(person=DEVELOPER).sweep.sweep_id != sweep, "another list is another question"


def test_a_row_in_the_database_approves_nothing(prod: Rows) -> None:
    sweep = waiting(prod)
    change(prod, sweep, state="hiding", approved_by=uuid4(), approved_at=prod.ago(0), signature="e30.e30.e30")
    (after,) = prod.retention.run(person=ADMIN).earlier
    assert after.state == SweepState.REJECTED
    assert len(prod.visible(RagDocument)) == 1


def test_no_approval_at_all_is_none(prod: Rows) -> None:
    sweep = waiting(prod)
    change(prod, sweep, state="hiding")
    (after,) = prod.retention.run(person=ADMIN).earlier
    assert after.state == SweepState.REJECTED
    assert len(prod.visible(RagDocument)) == 1


def test_it_is_for_the_list_that_was_approved(prod: Rows) -> None:
    sweep = waiting(prod)
    prod.retention.approve(sweep, SUPERADMIN)
    more = prod.document(OLD)
    with prod.environment.database.begin() as session:
        session.add(
            SweepItem(
                sweep_id=sweep,
                item_type="rag_documents",
                item_id=more.id,
                state=ItemState.MARKED,
                label="smuggled in",
                created_at=prod.ago(OLD),
                is_test_data=False,
            )
        )
    (after,) = prod.retention.run(person=ADMIN).earlier
    assert (after.state, after.rejected_by) == (SweepState.REJECTED, None)
    assert after.because == "its list is not the one that was approved"
    assert len(prod.visible(RagDocument)) == 2


def test_one_that_nobody_approves_is_given_up(prod: Rows) -> None:
    sweep = waiting(prod)
    change(prod, sweep, created_at=prod.ago(4))
    with pytest.raises(SweepRefused, match="waited too long"):
        prod.retention.approve(sweep, SUPERADMIN)
    over = (SweepState.REJECTED, "nobody approved it in time")
    told = prod.retention.status(sweep)
    assert (told.state, told.because) == over, "already before a run has written it down"
    (given_up,) = prod.retention.run(person=ADMIN).earlier
    assert (given_up.state, given_up.because) == over


def interrupted(prod: Rows, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A sweep that is approved, and has hidden a document and not its file."""
    sweep = waiting(prod)
    prod.retention.approve(sweep, SUPERADMIN)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("wisqu_pipelines.storage.redis_cache.RedisCache.delete", dies)
        with pytest.raises(KeyboardInterrupt):
            prod.retention.go_on()
    assert prod.visible(RagDocument) == set()
    assert len(prod.visible(StoredFile)) == 1
    return sweep


def test_an_approval_in_time_is_enough_for_what_takes_longer(prod: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(prod, monkeypatch)
    later = SystemClock().now() + APPROVAL_LASTS + timedelta(hours=1)
    monkeypatch.setattr(prod.services.clock, "now", lambda: later)
    monkeypatch.setattr("wisqu_pipelines.retention.service.require_agreement", lambda *_: None)  # it is late everywhere
    (done,) = prod.retention.go_on()
    assert (done.state, done.hidden) == (SweepState.HIDDEN, 2)


def test_what_is_refused_half_way_hides_nothing(prod: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = interrupted(prod, monkeypatch)
    change(prod, sweep, signature="e30.e30.e30")
    (after,) = prod.retention.go_on()
    assert (after.state, after.hidden) == (SweepState.REJECTED, 0)
    assert len(prod.visible(RagDocument)) == 1
    assert prod.retention.foretell().rows == 2, "no person took it back"


def test_it_can_be_rejected(prod: Rows) -> None:
    sweep = waiting(prod)
    told = prod.retention.reject(sweep, SUPERADMIN, WHY)
    assert (told.state, told.because) == (SweepState.REJECTED, WHY)
    assert people.address(prod.services.control, told.rejected_by) == SUPERADMIN
    assert prod.retention.run(person=ADMIN).earlier == ()
    assert len(prod.visible(RagDocument)) == 1
