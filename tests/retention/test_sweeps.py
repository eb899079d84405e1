"""Sweeps: what goes, what stays and why, hiding, restoring, purging."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from tests.retention.conftest import CHUNKS, OLD, Rows
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.audit.verification import verify_environment
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.catalog.cached import cached_item
from wisqu_pipelines.catalog.models import Conversation, Message, RagDocument, StoredFile
from wisqu_pipelines.errors import (
    BadInput,
    CapReached,
    ClocksDisagree,
    NotPermitted,
    SweepNotFound,
    SweepRefused,
    UnknownType,
)
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, TESTER
from wisqu_pipelines.ports.clock import SystemClock
from wisqu_pipelines.retention import batches, hiding
from wisqu_pipelines.retention.kinds import KINDS
from wisqu_pipelines.retention.marking import APPROVED, NEEDED, PROMOTED, PROMOTING, RESTORED, Scope, goes
from wisqu_pipelines.retention.models import Sweep, SweepItem, SweepState
from wisqu_pipelines.storage.memory import ManualClock

WHY = "Cleaning up after the spring release"


class _Broken(Exception):
    """A store or a process that ends in the middle."""


@contextmanager
def broken(monkeypatch: pytest.MonkeyPatch, place: str) -> Iterator[None]:
    """What is called there breaks, and whoever calls it breaks with it."""

    def breaks(*_: object) -> None:
        raise _Broken

    with monkeypatch.context() as patched:
        patched.setattr(place, breaks)
        with pytest.raises(_Broken):
            yield


def swept(rows: Rows, **more: Any) -> UUID:
    """A sweep that has hidden something."""
    report = rows.retention.run(**more).sweep
    assert report.sweep_id is not None
    assert report.state == SweepState.HIDDEN
    return report.sweep_id


def actions(rows: Rows) -> list[str]:
    with rows.environment.database.begin() as session:
        wanted = select(DeveloperAction.action).order_by(DeveloperAction.sequence)
        return [each for each in session.scalars(wanted) if each.startswith("retention")]


def test_what_is_old_goes_and_what_is_not_stays(rows: Rows) -> None:
    days = rows.environment.settings.retention.days
    old, young = rows.document(days + 1), rows.document(days - 1)
    report = rows.retention.run().sweep
    assert report.rows == 2
    assert (report.types["rag_documents"].rows, report.types["stored_files"].rows) == (1, 1)
    assert report.types["rag_documents"].points == CHUNKS
    assert report.types["stored_files"].bytes == 36
    assert rows.visible(RagDocument) == {young.id}
    assert rows.visible(StoredFile) == {young.file_id}
    assert rows.stored() == (2, 2 * CHUNKS), "nothing is purged before its time"
    assert old.id not in rows.visible(RagDocument)
    assert actions(rows) == ["retention_hidden"]
    assert verify_environment(rows.services.control, rows.environment.database, "dev").holds


def test_test_data_goes_sooner(rows: Rows) -> None:
    marked = rows.document(8, is_test_data=True, test_data_reason="lorem ipsum")
    rows.document(6, is_test_data=True, test_data_reason="lorem ipsum")
    real = rows.document(OLD)
    report = rows.retention.foretell(test_data_only=True)
    assert (report.rows, report.types["rag_documents"].test_data) == (1, 1)
    swept(rows, test_data_only=True)
    assert marked.id not in rows.visible(RagDocument)
    assert {real.id, real.file_id} <= rows.visible(RagDocument) | rows.visible(StoredFile)


def test_a_dry_run_says_what_the_real_one_does_and_changes_nothing(rows: Rows) -> None:
    rows.document(OLD)
    rows.document(35)
    rows.document(8, is_test_data=True)
    rows.document(OLD, promotion_status="approved")
    rows.conversation()
    before = (rows.visible(RagDocument), rows.visible(StoredFile), rows.visible(Message), rows.stored())
    told = rows.retention.foretell()
    assert (rows.visible(RagDocument), rows.visible(StoredFile), rows.visible(Message), rows.stored()) == before
    assert rows.retention.list() == []
    assert (told.is_dry_run, told.sweep_id) == (True, None)
    assert told.types["rag_documents"].ages == {"7-30": 1, "30-90": 1, "365+": 1}
    assert told.types["rag_documents"].stays == {APPROVED: 1}
    assert told.types["stored_files"].stays == {NEEDED: 1}
    done = rows.retention.run().sweep
    assert done.sweep_id is not None
    assert done.digest == told.digest
    assert rows.retention.status(done.sweep_id).hidden == told.rows == 7


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"promotion_status": "promoting"}, PROMOTING),
        ({"promotion_status": "promoted"}, PROMOTED),
        ({"promotion_status": "approved"}, APPROVED),
        ({"source_id": UUID(int=5), "source_environment": "stage"}, PROMOTED),
    ],
)
def test_what_promotion_has_to_do_with_stays_with_its_file(rows: Rows, columns: dict[str, Any], reason: str) -> None:
    document = rows.document(OLD, **columns)
    report = rows.retention.run().sweep
    assert report.rows == 0
    assert report.types["rag_documents"].stays == {reason: 1}
    assert report.types["stored_files"].stays == {NEEDED: 1}
    assert rows.visible(RagDocument) == {document.id}
    assert rows.retention.list() == []


def test_what_an_open_promotion_names_stays(rows: Rows) -> None:
    document = rows.document(OLD, promotion_status="approved", is_promotable=True)
    planned = rows.services.promotions.preview_promotion("rag_documents", "dev", "stage")
    rows.change(RagDocument, document.id, promotion_status="draft")
    assert rows.retention.foretell().types["rag_documents"].stays == {PROMOTING: 1}
    rows.services.approvals.reject(planned.promotion_id, ADMIN, WHY)
    assert rows.retention.foretell().rows == 2


def test_a_whole_goes_only_with_its_parts(rows: Rows) -> None:
    young = rows.document(1, file_days=OLD)
    alive = rows.conversation(OLD, (OLD, 1))
    over = rows.conversation(OLD, (OLD, OLD))
    report = rows.retention.run().sweep
    assert report.types["stored_files"].stays == {NEEDED: 1}
    assert report.types["conversations"].stays == {NEEDED: 1}
    assert young.file_id in rows.visible(StoredFile)
    assert rows.visible(Conversation) == {alive}
    assert over not in rows.visible(Conversation)
    assert len(rows.visible(Message)) == 1


def test_the_items_of_parts_are_looked_up_and_never_joined(rows: Rows) -> None:
    """What Postgres knows of the items is older than the sweep that has just listed them: a join of them can only be
    planned for a handful, and takes hours for a hundred thousand.
    """
    scope = Scope(uuid4(), rows.environment.settings.retention, False, (), rows.ago(0))
    with rows.environment.database.begin() as session:
        for kind in KINDS.values():
            wanted = select(kind.model.id).where(goes(kind, scope)).compile(session.get_bind())
            plan = "\n".join(session.connection().exec_driver_sql(f"EXPLAIN {wanted}", wanted.params).scalars())
            assert " Join " not in plan, f"{kind.name}: {plan}"


def test_types_can_be_chosen(rows: Rows) -> None:
    document = rows.document(OLD)
    rows.conversation()
    assert rows.retention.foretell(["stored_files"]).types["stored_files"].stays == {NEEDED: 1}
    swept(rows, types=["rag_documents"])
    assert rows.visible(StoredFile) == {document.file_id}
    assert len(rows.visible(Message)) == 1
    with pytest.raises(UnknownType, match="stored_filez"):
        rows.retention.foretell(["stored_filez"])


def test_what_was_hidden_can_be_restored(rows: Rows) -> None:
    document, other = rows.document(OLD), rows.document(OLD)
    conversation = rows.conversation()
    sweep = swept(rows)
    with pytest.raises(NotPermitted):
        rows.retention.restore(sweep, TESTER, WHY)
    with pytest.raises(BadInput):
        rows.retention.restore(sweep, DEVELOPER, "oops")
    with pytest.raises(SweepRefused, match="has not swept"):
        rows.retention.restore(sweep, DEVELOPER, WHY, [uuid4()])
    some = rows.retention.restore(sweep, DEVELOPER, WHY, [document.id])
    assert (some.given_back, some.sweep.hidden) == (2, 4), "a document comes back with its file"
    assert rows.visible(RagDocument) == {document.id}
    assert rows.visible(StoredFile) == {document.file_id}
    rest = rows.retention.restore(sweep, DEVELOPER, WHY)
    assert (rest.given_back, rest.sweep.restored, rest.sweep.hidden) == (4, 6, 0)
    assert (rest.sweep.state, rest.sweep.because) == (SweepState.REJECTED, WHY), "nothing of it will be purged"
    assert rest.sweep.purge_after is None
    assert rows.visible(RagDocument) == {document.id, other.id}
    assert rows.visible(Conversation) == {conversation}
    assert rows.stored() == (2, 2 * CHUNKS)
    with pytest.raises(SweepRefused, match="nothing of that is hidden"):
        rows.retention.restore(sweep, DEVELOPER, WHY)
    with pytest.raises(SweepNotFound):
        rows.retention.restore(uuid4(), DEVELOPER, WHY)


def test_what_a_person_took_back_is_not_hidden_again_before_it_is_old_once_more(rows: Rows) -> None:
    document = rows.document(OLD)
    sweep = swept(rows)
    rows.retention.restore(sweep, DEVELOPER, WHY)
    told = rows.retention.run().sweep
    assert told.rows == 0, "the next night leaves it alone"
    assert {name: told.types[name].stays for name in ("rag_documents", "stored_files")} == {
        "rag_documents": {RESTORED: 1},
        "stored_files": {RESTORED: 1},
    }
    assert rows.visible(RagDocument) == {document.id}
    days = rows.environment.settings.retention.days
    with rows.environment.database.begin() as session:
        session.execute(update(Sweep).where(Sweep.id == sweep).values(hidden_at=rows.ago(days + 1)))
    assert rows.retention.foretell().rows == 0, "it counts from when the person took it back"
    with rows.environment.database.begin() as session:
        taken_back = update(SweepItem).where(SweepItem.sweep_id == sweep)
        session.execute(taken_back.values(restored_at=SweepItem.restored_at - timedelta(days=days + 1)))
    assert rows.retention.foretell().rows == 2


def test_a_dry_run_foretells_what_becomes_of_earlier_sweeps(rows: Rows) -> None:
    rows.document(OLD)
    sweep = swept(rows)
    assert rows.retention.rehearse().earlier == (), "its grace time is not over"
    rows.end_grace(sweep)
    told = rows.retention.rehearse()
    (standing,) = told.earlier
    assert (standing.hidden, standing.hidden_bytes, standing.hidden_points) == (2, 36, CHUNKS)
    assert f"The grace time of the sweep {sweep} is over" in told.as_markdown()
    assert rows.count(RagDocument) == 1, "nothing is changed"
    assert [each.sweep_id for each in rows.retention.run().earlier] == [sweep]


def test_what_a_sweep_told_when_it_began_is_kept(rows: Rows) -> None:
    rows.document(8, is_test_data=True)
    rows.document(OLD)
    rows.document(OLD, promotion_status="approved")
    told = rows.retention.foretell()
    kept = rows.retention.status(swept(rows))
    assert kept.types == told.types
    assert list(kept.types) == list(told.types), "in the order in which rows go"
    assert [*kept.types["rag_documents"].ages] == ["7-30", "365+"], "the young ones first"


def test_what_was_hidden_long_enough_is_purged_from_every_store(rows: Rows) -> None:
    rows.document(OLD)
    kept = rows.document(1)
    rows.conversation()
    sweep = swept(rows)
    assert rows.retention.run().earlier == (), "its grace time is not over"
    rows.end_grace(sweep)
    (purged,) = rows.retention.run().earlier
    assert (purged.state, purged.purged, purged.hidden) == (SweepState.PURGED, 4, 0)
    assert (rows.count(RagDocument), rows.count(StoredFile)) == (1, 1)
    assert (rows.count(Message), rows.count(Conversation)) == (0, 0)
    assert rows.stored() == (1, CHUNKS)
    assert rows.visible(RagDocument) == {kept.id}
    assert actions(rows) == ["retention_hidden", "retention_purged"]
    assert rows.retention.run().earlier == ()


def test_the_audit_tells_of_all_that_was_purged_though_a_run_was_interrupted(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.document(OLD)
    rows.end_grace(swept(rows))

    with broken(monkeypatch, "wisqu_pipelines.retention.purging.contents.remove"):
        rows.retention.go_on()
    rows.retention.go_on()
    with rows.environment.database.begin() as session:
        told = session.scalars(select(DeveloperAction).where(DeveloperAction.action == "retention_purged")).all()
    assert [each.details["items"] for each in told if each.details] == [2]


def test_what_was_hidden_is_dropped_from_the_cache_though_the_run_was_interrupted(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = cached_item("rag_documents", rows.document(OLD).id)
    rows.environment.cache.set(key, b"as it was")

    with broken(monkeypatch, "wisqu_pipelines.storage.redis_cache.RedisCache.delete"):
        rows.retention.run()
    assert rows.environment.cache.get(key) is not None
    rows.retention.go_on()
    assert rows.environment.cache.get(key) is None


def test_what_was_restored_or_deleted_otherwise_is_not_purged(rows: Rows) -> None:
    document, other = rows.document(OLD), rows.document(OLD)
    sweep = swept(rows)
    rows.change(RagDocument, document.id, is_deleted=False, deleted_at=None)
    rows.change(RagDocument, other.id, deleted_at=rows.ago(0))
    rows.end_grace(sweep)
    (after,) = rows.retention.run().earlier
    assert after.kept == 2
    assert rows.count(RagDocument) == 2
    assert rows.count(StoredFile) == 2, "a file that a document refers to waits"
    assert rows.stored() == (2, 2 * CHUNKS)
    assert (after.state, after.waits) == (SweepState.HIDDEN, {NEEDED: 2})


def test_one_of_which_nothing_is_left_purges_nothing(rows: Rows) -> None:
    document = rows.document(OLD)
    sweep = swept(rows)
    for model, its_id in ((RagDocument, document.id), (StoredFile, document.file_id)):
        rows.change(model, its_id, is_deleted=False, deleted_at=None)
    rows.end_grace(sweep)
    (after,) = rows.retention.run().earlier
    assert (after.state, after.kept, after.purged) == (SweepState.REJECTED, 2, 0)
    assert after.because == "nothing that it had hidden was left to purge"


def test_an_object_that_another_row_names_stays(rows: Rows) -> None:
    old, young = rows.document(OLD), rows.document(0)
    with rows.environment.database.begin() as session:
        shared = session.get_one(StoredFile, old.file_id).object_name
    rows.change(StoredFile, young.file_id, object_name=shared)
    sweep = swept(rows)
    rows.end_grace(sweep)
    (done,) = rows.retention.run().earlier
    assert done.state == SweepState.PURGED
    assert shared in {each.key for each in rows.environment.objects.list(rows.bucket, "stored_files/")}


@pytest.mark.parametrize("store", ["vectors", "objects"])
def test_an_interrupted_purge_is_finished_by_the_next_run(
    rows: Rows, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    rows.document(OLD)
    sweep = swept(rows)
    rows.end_grace(sweep)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(getattr(rows.environment, store), "delete", die)
        with pytest.raises(KeyboardInterrupt):
            rows.retention.run()
    with rows.environment.database.begin() as session:
        files = set(session.scalars(select(StoredFile.object_name)))
    there = {each.key for each in rows.environment.objects.list(rows.bucket, "stored_files/")}
    assert files <= there, "no row is without its file"
    assert rows.stored() != (0, 0)
    (done,) = rows.retention.run().earlier
    assert done.state == SweepState.PURGED
    assert rows.stored() == (0, 0)


def test_progress_says_how_much_there_is(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        rows.document(OLD)
    monkeypatch.setattr(batches, "AT_ONCE", 2)
    told: list[tuple[str, int, int]] = []

    def tell(step: str, done: int, total: int, **_: int) -> None:
        told.append((step, done, total))

    sweep = rows.retention.run(progress=tell).sweep.sweep_id
    assert sweep is not None
    rows.end_grace(sweep)
    rows.retention.run(progress=tell)
    for kind in ("rag_documents", "stored_files"):
        assert [each[1:] for each in told if each[0] == f"{kind} looked at and hidden"] == [(2, 3), (3, 3)]
    purged = [each[1:] for each in told if each[0] == "purged"]
    assert purged == sorted(purged)
    assert (len(purged), purged[-1]) == (4, (6, 6)), "documents and files go at the same time"


def test_an_interrupted_hiding_goes_on(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(12):
        rows.document(OLD)
    monkeypatch.setattr(batches, "AT_ONCE", 1)
    calls = []

    def die(*_: Any, **__: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rows.retention.run(progress=die)
    left = rows.visible(RagDocument)
    assert 0 < len(left) <= 10, "what was hidden stays hidden, and the rest is not begun"
    (sweep,) = (each.sweep_id for each in rows.retention.list())
    assert sweep is not None
    assert {each.state for each in rows.retention.items(sweep)} == {"marked"}
    with rows.environment.database.begin() as session:
        hidden = session.scalars(select(RagDocument.id).where(RagDocument.is_deleted)).all()
    assert rows.retention.restore(sweep, DEVELOPER, WHY, hidden[:1]).given_back == 1
    (done,) = rows.retention.run().earlier
    assert (done.state, done.hidden, done.restored, done.kept) == (SweepState.HIDDEN, 22, 1, 1), "with its file"
    assert {each.state for each in rows.retention.items(sweep)} == {"hidden", "restored", "kept"}
    assert rows.visible(RagDocument) == {hidden[0]}


def test_what_names_no_sweep_is_in_none(rows: Rows) -> None:
    item = {"item_type": "rag_documents", "state": "marked", "label": "", "created_at": rows.ago(0)}
    with pytest.raises(IntegrityError, match="there is no sweep"), rows.environment.database.begin() as session:
        session.execute(insert(SweepItem).values(sweep_id=uuid4(), item_id=uuid4(), is_test_data=False, **item))


def test_a_purge_that_cannot_reach_one_store_goes_on_with_the_next_run(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        rows.document(OLD)
    rows.end_grace(swept(rows))
    monkeypatch.setattr(batches, "AT_ONCE", 1)

    with broken(monkeypatch, "wisqu_pipelines.storage.qdrant.QdrantVectorIndex.delete"):
        rows.retention.go_on()
    assert rows.stored()[1] == 3 * CHUNKS
    (done,) = rows.retention.go_on()
    assert (done.state, done.purged) == (SweepState.PURGED, 6)
    assert rows.stored() == (0, 0)


def test_what_changes_between_marking_and_hiding_stays(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    document = rows.document(OLD)
    real = hiding.hide

    def late(*arguments: Any) -> None:
        rows.change(RagDocument, document.id, promotion_status="approved")
        real(*arguments)

    monkeypatch.setattr(hiding, "hide", late)
    report = rows.retention.run().sweep
    assert (report.hidden, report.kept) == (0, 2)
    assert (report.state, report.because) == (SweepState.REJECTED, "nothing that it lists may go any more")
    assert rows.visible(RagDocument) == {document.id}
    assert rows.visible(StoredFile) == {document.file_id}


def test_a_row_that_somebody_writes_is_not_waited_for(rows: Rows) -> None:
    busy, free = rows.document(OLD), rows.document(OLD)
    with rows.environment.database.begin() as writer:
        writer.execute(update(RagDocument).where(RagDocument.id == busy.id).values(title="being written"))
        report = rows.retention.run().sweep
    assert rows.visible(RagDocument) == {busy.id}
    assert free.id not in rows.visible(RagDocument)
    assert report.kept == 2


def test_a_cap_stops_a_sweep_until_somebody_means_it(strict: Rows) -> None:
    for days in (OLD, OLD, 1):
        strict.document(days)
    told = strict.retention.foretell()
    assert "2 of 3 rag_documents" in (told.stopped or "")
    with pytest.raises(CapReached, match="2 of 3 rag_documents, and at most 50% go at once"):
        strict.retention.run()
    assert len(strict.visible(RagDocument)) == 3
    assert strict.retention.list() == []
    with pytest.raises(BadInput):
        strict.retention.run(person=DEVELOPER, force=True)
    with pytest.raises(NotPermitted):
        strict.retention.run(reason=WHY, force=True)
    for days in (*[1] * 9, OLD, OLD):
        strict.document(days)
    with pytest.raises(CapReached, match="4 rag_documents, and at most 3 go at once"):
        strict.retention.run()
    strict.retention.run(person=DEVELOPER, reason=WHY, force=True)
    assert len(strict.visible(RagDocument)) == 10
    assert actions(strict) == ["retention_marked", "retention_hidden"]


def test_clocks_that_disagree_stop_everything(rows: Rows, services: Services) -> None:
    rows.document(OLD)
    rows.end_grace(swept(rows))
    rows.document(1)
    for years in (-10, 10):
        clock = ManualClock(SystemClock().now() + timedelta(days=365 * years))
        with open_services(services.settings, clock) as elsewhen:
            for act in (elsewhen.retention("dev").run, elsewhen.retention("dev").foretell):
                with pytest.raises(ClocksDisagree):
                    act()
    assert rows.count(RagDocument) == 2
    assert len(rows.visible(RagDocument)) == 1


def test_who_has_no_such_role_sweeps_nothing(rows: Rows) -> None:
    rows.document(OLD)
    with pytest.raises(NotPermitted):
        rows.retention.run(person=TESTER)
    assert rows.visible(RagDocument)
