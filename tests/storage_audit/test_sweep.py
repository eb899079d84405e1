"""What a repair removes, and everything that it must not."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from sqlalchemy import select, text, update

from tests.storage_audit.stores import DANA, Stores
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.audit.verification import verify_environment
from wisqu_pipelines.catalog.sweeping import hold_off_sweeps, sweep_alone
from wisqu_pipelines.environments.markers import MARKER_OBJECT
from wisqu_pipelines.errors import BadInput, ClocksDisagree, NotPermitted, StoreFailed
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.promotion.models import Promotion, PromotionState
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.storage_audit import containers, sweep
from wisqu_pipelines.storage_audit.needs import SETTLED, versions_of_promotions
from wisqu_pipelines.storage_audit.report import AuditReport, Finding
from wisqu_pipelines.storage_audit.service import StorageAudit


class Delegating:
    """A store that passes everything on, but for what a subclass says."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class DiesOnDelete(Delegating):
    def delete(self, *_: Any) -> None:
        raise StoreFailed(store="store", operation="delete", cause="the process died")


class Shifted:
    """A clock that is wrong."""

    def __init__(self, by: timedelta) -> None:
        self.by = by

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


def test_only_after_the_grace_time(stores: Stores) -> None:
    document = stores.document()
    key, version = stores.put("stored_files/lost"), stores.put_points()
    before = stores.state("dev")
    assert stores.repair().stores[0].swept.count == 0
    stores.age(hours=167.9)
    report = stores.repair()
    assert [each.swept.count for each in report.stores] == [0, 0]
    assert stores.state("dev") == before
    stores.age(hours=0.2)
    report, _ = stores.run()
    assert [each.due.count for each in report.stores] == [1, 1]
    assert stores.state("dev") == before, "an audit alone removes nothing, whatever is due"
    report = stores.repair()
    assert [each.swept.count for each in report.stores] == [1, 1]
    assert (report.stores[0].swept.bytes, report.stores[1].swept.points) == (9, 3)
    assert report.is_clean
    assert key not in stores.object_keys()
    assert stores.count(version) == 0
    assert stores.marks() == {}
    assert stores.run()[0].is_clean
    assert stores.row(document)


def test_what_is_swept_is_written_down(stores: Stores) -> None:
    keys = [stores.put(f"lost/{number}") for number in range(3)]
    stores.run()
    stores.age()
    stores.repair()
    database = stores.environment("dev").database
    with database.begin() as session:
        (action,) = session.scalars(select(DeveloperAction).where(DeveloperAction.action == "storage_swept"))
    assert (action.developer_id, action.reason) == (stores.person(), "tidying up")
    assert action.details == {
        "store": "objects",
        "container": stores.bucket(),
        "names": keys,
        "bytes": 27,
        "points": 0,
    }
    assert verify_environment(stores.services.control, database, "dev").holds


def test_needed_again_is_unmarked(stores: Stores) -> None:
    key, version = stores.put("stored_files/late"), uuid4()
    stores.put_points(3, version)
    document = stores.document("other.md", chunks=3)
    stores.run()
    stores.age()
    stores.row_for(key)
    stores.change(document, "dev", vector_version=version)
    report = stores.repair()
    assert report.unmarked == 2
    assert key in stores.object_keys()
    assert stores.count(str(version)) == 3
    assert key not in stores.marks()


def test_written_again_begins_its_grace_time_anew(stores: Stores) -> None:
    key = stores.put("stored_files/a", b"first")
    version = uuid4()
    stores.put_points(2, version)
    stores.run()
    stores.age()
    stores.put(key, b"another")
    stores.put_points(3, version)
    report = stores.repair()
    assert [each.swept.count for each in report.stores] == [0, 0]
    assert report.newly_marked == 2
    assert stores.marks()[key].bytes == 7


def test_needed_at_the_last_moment_stays(stores: Stores) -> None:
    """A row that is written after the comparison, before the sweep."""
    key, version = stores.put("stored_files/late"), uuid4()
    stores.put_points(3, version)
    document = stores.document("other.md", chunks=3)
    stores.run()
    stores.age()

    def meanwhile(finding: Finding) -> None:
        if finding.name == key:
            stores.row_for(key)
        if finding.name == str(version):
            stores.change(document, "dev", vector_version=version)

    report = stores.audit().repair(DANA, "tidying up", found=meanwhile)
    assert [each.swept.count for each in report.stores] == [0, 0]
    assert key in stores.object_keys()
    assert stores.count(str(version)) == 3
    assert key not in stores.marks()


def test_written_again_at_the_last_moment_stays(stores: Stores) -> None:
    key = stores.put("stored_files/late", b"old")
    stores.run()
    stores.age()

    def meanwhile(_: Finding) -> None:
        stores.put(key, b"new and needed")

    stores.audit().repair(DANA, "tidying up", found=meanwhile)
    assert key in stores.object_keys()
    assert stores.marks()[key].first_seen_at > datetime.now(UTC) - timedelta(hours=1)


def finished(stores: Stores, promotion_id: UUID, days_ago: float, **columns: Any) -> None:
    with stores.services.control.begin() as session:
        session.execute(
            update(Promotion)
            .where(Promotion.id == promotion_id)
            .values(finished_at=datetime.now(UTC) - timedelta(days=days_ago), **columns)
        )


def test_what_a_rollback_needs_stays_until_none_is_possible(stores: Stores) -> None:
    document = stores.document(text="first", chunks=2)
    stores.promote_all()
    old_key, old_version = stores.versions(document, "stage")
    stores.edit(document, "second", chunks=3)
    second = stores.promote_all()
    assert stores.versions(document, "stage") != (old_key, old_version)
    assert stores.run("stage")[0].is_clean
    finished(stores, second, 29.9)
    assert stores.run("stage")[0].is_clean
    finished(stores, second, 30.1, rollback_requested_at=datetime.now(UTC) - timedelta(days=1))
    assert stores.run("stage")[0].is_clean, "somebody asked for it in time"
    finished(stores, second, 30.1, rollback_requested_at=None)
    assert stores.orphan_names("stage") == {old_key, old_version}
    stores.age("stage")
    finished(stores, second, 29.9)
    assert [each.swept.count for each in stores.repair("stage").stores] == [0, 0], "looked at again before it goes"
    finished(stores, second, 30.1)
    stores.run("stage")
    stores.age("stage")
    assert [each.swept.count for each in stores.repair("stage").stores] == [1, 1]
    assert old_key not in stores.object_keys("stage")
    assert stores.count(old_version, "stage") == 0
    assert stores.run("stage")[0].is_clean


def test_a_rollback_in_time_finds_everything(stores: Stores) -> None:
    document = stores.document(text="first", chunks=2)
    stores.promote_all()
    before = stores.state("stage")
    stores.edit(document, "second", chunks=3)
    second = stores.promote_all()
    stores.run("stage")
    stores.age("stage")
    stores.repair("stage")
    stores.services.promotions.rollback_promotion(second, stores.person(), "it was wrong")
    assert stores.state("stage") == before
    assert stores.run("stage")[0].is_clean


def move(stores: Stores, promotion_id: UUID, state: PromotionState) -> None:
    with stores.services.control.begin() as session:
        session.execute(update(Promotion).where(Promotion.id == promotion_id).values(state=state))


def stage(stores: Stores, promotion_id: UUID) -> tuple[set[str], set[str]]:
    """Put things where the promotion would stage them; returns the keys and the versions."""
    keys, versions = set(), set()
    for item in stores.items(promotion_id):
        version = uuid5(promotion_id, f"{item.item_type}:{item.source_id}")
        if item.file:
            key = f"{item.item_type}/{item.target_id}/{version}/{item.source_hashes['file']}"
            keys.add(stores.put(key, env="stage"))
        if item.vectors:
            versions.add(stores.put_points(2, version, "stage", environment="staging:stage"))
    assert keys
    assert versions
    return keys, versions


def test_what_a_promotion_stages_stays_while_it_may_be_executed(stores: Stores) -> None:
    stores.document("a.md")
    promotion_id = stores.approved()
    keys, versions = stage(stores, promotion_id)
    others = {stores.put("stored_files/lost", env="stage"), stores.put_points(env="stage")}
    for state in (PromotionState.EXECUTING, PromotionState.FAILED, PromotionState.EXECUTING):
        move(stores, promotion_id, state)
        report, found = stores.run("stage")
        assert {each.name for each in found} == others, state
        assert report.promotion_under_way == (state == PromotionState.EXECUTING)
    move(stores, promotion_id, PromotionState.FAILED)
    move(stores, promotion_id, PromotionState.REFUSED)
    assert stores.orphan_names("stage") == keys | versions | others
    stores.age("stage")
    assert [each.swept.count for each in stores.repair("stage").stores] == [2, 2]
    assert not stores.object_keys("stage") & keys


def test_what_is_staged_at_the_last_moment_stays(stores: Stores) -> None:
    """Marked and due, but after the comparison its promotion may be executed."""
    stores.document("a.md")
    promotion_id = stores.planned()
    keys, versions = stage(stores, promotion_id)
    assert stores.orphan_names("stage") == keys | versions, "nobody has ever executed it"
    stores.age("stage")

    def meanwhile(finding: Finding) -> None:
        if finding.name in keys:
            stores.services.approvals.grant(promotion_id, DANA)

    report = stores.audit("stage").repair(DANA, "tidying up", found=meanwhile)
    assert [each.swept.count for each in report.stores] == [0, 0]
    assert stores.object_keys("stage") >= keys
    assert all(stores.count(each, "stage") for each in versions)


def test_what_a_promotion_that_was_put_back_has_staged_stays(stores: Stores) -> None:
    stores.document("a.md")
    promotion_id = stores.planned()
    stage(stores, promotion_id)
    with stores.services.control.begin() as session:
        session.execute(update(Promotion).where(Promotion.id == promotion_id).values(epoch=1))
    assert stores.orphan_names("stage") == set()


def test_a_promotion_goes_through_while_audits_repair(stores: Stores) -> None:
    for number in range(5):
        stores.document(f"{number}.md", f"text {number}")
    promotion_id = stores.approved()
    over = threading.Event()

    def repairing() -> int:
        runs = 0
        while not over.is_set():
            stores.repair("stage")
            stores.age("stage")
            runs += 1
        return runs

    with ThreadPoolExecutor(1) as pool:
        runs = pool.submit(repairing)
        try:
            done = stores.services.promotions.execute(promotion_id, run_id="test", executed_by_user_id=stores.person())
        finally:
            over.set()
        assert runs.result() > 0
    assert done.success_count == 10
    assert stores.run("stage")[0].is_clean


def test_the_versions_are_the_promotions_own(stores: Stores) -> None:
    stores.document("a.md")
    promotion_id = stores.approved()
    items = stores.items(promotion_id)
    found = {each for page in versions_of_promotions(stores.services.control, "stage") for each in page}
    assert found == {
        str(PlannedItem.version(_Named(each.item_type, each.source_id), promotion_id))  # type: ignore[arg-type]
        for each in items
    }
    assert set(SETTLED) < set(PromotionState)


class _Named:
    def __init__(self, item_type: str, source_id: UUID) -> None:
        self.item_type, self.source_id = item_type, source_id


@pytest.mark.parametrize("store", ["objects", "vectors"])
def test_a_crash_between_mark_and_sweep_loses_nothing(stores: Stores, store: str) -> None:
    document = stores.document()
    key, version = stores.put("stored_files/lost"), stores.put_points()
    stores.run()
    stores.age()
    dies: dict[str, Any] = {store: DiesOnDelete(getattr(stores.environment("dev"), store))}
    dying = stores.audit(**dies)
    with pytest.raises(StoreFailed):
        dying.repair(DANA, "tidying up")
    name = key if store == "objects" else version
    assert stores.marks()[name].swept_at is not None
    if store == "vectors":
        assert stores.count(version, environment="dev") == 0, "hidden before they are deleted"
        assert stores.count(version) == 3
    report = stores.repair()
    assert report.is_clean
    assert stores.marks() == {}
    assert stores.row(document)
    assert verify_environment(stores.services.control, stores.environment("dev").database, "dev").holds


def test_needed_again_after_a_crash_stays(stores: Stores) -> None:
    key = stores.put("stored_files/lost")
    stores.run()
    stores.age()
    with pytest.raises(StoreFailed):
        stores.audit(objects=DiesOnDelete(stores.environment("dev").objects)).repair(DANA, "tidying up")
    stores.row_for(key)
    stores.repair()
    assert key in stores.object_keys()
    assert stores.marks() == {}


def test_two_audits_at_once(stores: Stores) -> None:
    document = stores.document()
    keys = {stores.put(f"lost/{number:03}") for number in range(30)}
    versions = [stores.put_points(2) for _ in range(5)]
    stores.run()
    stores.age()
    late = stores.put("lost/late")
    with ThreadPoolExecutor(2) as pool:
        reports = [each.result() for each in [pool.submit(stores.repair) for _ in range(2)]]
    assert sum(each.stores[0].swept.count for each in reports) == len(keys)
    assert sum(each.stores[1].swept.count for each in reports) == len(versions)
    assert stores.orphan_names() == {late}
    assert stores.row(document)
    with stores.environment("dev").database.begin() as session:
        swept = session.scalars(select(DeveloperAction).where(DeveloperAction.action == "storage_swept")).all()
    named = [name for each in swept for name in (each.details or {})["names"]]
    assert sorted(named) == sorted([*keys, *versions]), "each is written down once"


def test_a_second_audit_waits_for_the_first(stores: Stores) -> None:
    keys = {stores.put(f"lost/{number}") for number in range(3)}
    waits = threading.Event()
    results: list[Future[AuditReport]] = []

    def second(step: str, done: int, total: int, **_: int) -> None:
        if (step, done, total) == ("waiting for another audit", 0, 1):
            waits.set()

    with ThreadPoolExecutor(1) as pool:

        def first(step: str, *_: int, **__: int) -> None:
            if step.endswith("-documents listed") and not results:
                results.append(pool.submit(stores.audit().run, progress=second))
                assert waits.wait(20), "the second one works on the same listing"

        assert stores.audit().run(progress=first).orphans.count == len(keys)
        assert results[0].result().orphans.count == len(keys)


def test_a_sweep_waits_for_who_may_take_things_up(stores: Stores) -> None:
    key = stores.put("stored_files/lost")
    stores.run()
    stores.age()
    with ThreadPoolExecutor(1) as pool:
        with stores.environment("dev").database.begin() as ingest:
            hold_off_sweeps(ingest)
            sweep = pool.submit(stores.repair)
            wait_until(stores, "pg_advisory_xact_lock")
            assert key in stores.object_keys()
            stores.row_for(key)
        report = sweep.result()
    assert report.stores[0].swept.count == 0
    assert key in stores.object_keys()


def test_an_ingest_waits_for_a_sweep(stores: Stores, tmp_path: Path) -> None:
    """It might take up what an interrupted ingest of the same bytes has left, while that is being swept."""
    (tmp_path / "again.txt").write_text("The same bytes again.")
    with ThreadPoolExecutor(1) as pool:
        with stores.environment("dev").database.begin() as sweeping:
            sweep_alone(sweeping)
            ingest = pool.submit(stores.services.ingest("dev").ingest, [tmp_path])
            wait_until(stores, "pg_advisory_xact_lock_shared")
            assert not [key for key in stores.object_keys() if key != MARKER_OBJECT]
        assert not ingest.result().refused
    assert stores.run()[0].is_clean


def wait_until(stores: Stores, waits_for: str) -> None:
    """Until a statement like this waits for a lock."""
    deadline = monotonic() + 20
    while monotonic() < deadline:
        with stores.environment("dev").database.begin() as session:
            found = session.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND wait_event_type = 'Lock' AND query LIKE :like"
                ),
                {"like": f"%{waits_for}%"},
            )
        if found:
            return
        sleep(0.02)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("by", [timedelta(days=8), timedelta(seconds=-61)])
def test_nothing_is_removed_or_marked_while_the_clocks_disagree(stores: Stores, by: timedelta) -> None:
    key = stores.put("stored_files/lost")
    stores.run()
    stores.age()
    other = stores.put("stored_files/other")
    services = stores.services
    audit = StorageAudit(services.control, stores.environment("dev"), services.settings, Shifted(by))
    with pytest.raises(ClocksDisagree):
        audit.repair(DANA, "tidying up")
    report = audit.run()
    assert report.clock_skew_seconds > 60
    assert report.orphans.count == 2
    assert set(stores.marks()) == {key}, f"{other} was not marked"
    assert stores.object_keys() >= {key, other}


def test_clocks_that_part_during_a_repair_stop_it(stores: Stores) -> None:
    key = stores.put("stored_files/lost")
    stores.run()
    stores.age()
    services, clock = stores.services, Shifted(timedelta())
    audit = StorageAudit(services.control, stores.environment("dev"), services.settings, clock)

    def jump(_: Finding) -> None:
        clock.by = timedelta(days=30)

    with pytest.raises(ClocksDisagree):
        audit.repair(DANA, "tidying up", found=jump)
    assert key in stores.object_keys()


def test_a_repair_takes_a_person_and_a_reason(stores: Stores) -> None:
    key = stores.put("stored_files/lost")
    stores.run()
    stores.age()
    for person, reason, refusal in (
        (DANA, None, BadInput),
        (DANA, "  ", BadInput),
        (demo_people.TESTER, "tidying up", NotPermitted),
    ):
        with pytest.raises(refusal):
            stores.audit("stage" if refusal is NotPermitted else "dev").repair(person, reason)
    assert key in stores.object_keys()


def test_more_than_a_page(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SWEPT_AT_ONCE", 4)
    monkeypatch.setattr(containers, "LISTED_AT_ONCE", 3)
    monkeypatch.setattr(containers, "IDS_AT_ONCE", 2)
    document = stores.document(chunks=7)
    for number in range(10):
        stores.put(f"lost/{number}")
    version = stores.put_points(5)
    stores.run()
    stores.age()
    report = stores.repair()
    assert [each.swept.count for each in report.stores] == [10, 1]
    assert report.is_clean
    assert stores.count(version) == 0
    assert stores.visible_points("dev") == 7
    assert stores.row(document)
