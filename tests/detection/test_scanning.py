"""Scans on a real database: what they read, what they mark, and what they leave to people."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.detection.rows import (
    MAY,
    Words,
    add,
    conversation,
    document,
    file,
    get,
    message,
    quota,
    scan,
    user,
)
from tests.devstack.commands import wait_until
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import Conversation, Message, RagDocument, StoredFile, User
from wisqu_pipelines.catalog.repository import EnvironmentAwareRepository
from wisqu_pipelines.detection.engine import READ_FROM_END, READ_FROM_START
from wisqu_pipelines.detection.fields import MODELS, typed
from wisqu_pipelines.detection.models import ScannedMonth, TestDataReview

ALL = tuple(MODELS.values())


def marked(services: Services) -> set[str]:
    with services.environments["dev"].database.begin() as session:
        return set(session.scalars(sa.select(StoredFile.filename).where(StoredFile.is_test_data)))


def waiting(services: Services) -> dict[str, str]:
    with services.environments["dev"].database.begin() as session:
        return {str(each.item_id): each.reason for each in session.scalars(sa.select(TestDataReview))}


# What is read


def test_of_a_long_text_its_ends_are_read(services: Services) -> None:
    """Thousands are in memory at once."""
    judge = Words()
    (person,) = add(services, user("Zahra"))
    (talk,) = add(services, conversation(person, "A talk"))
    beginning, end = "b" * READ_FROM_START, "e" * READ_FROM_END
    add(services, message(talk, beginning + end), message(talk, beginning + "middle " * 9_000 + end))
    scan(services, judge).run([Message])
    assert sorted(judge.read, key=len) == [beginning + end, f"{beginning} {end}"]


def test_every_text_of_every_type_is_read(services: Services) -> None:
    person, tester = add(services, user("Zahra junk"), user("Ali", email="junk@x.org"))
    by_name, by_key = add(services, file("junk.txt"), file("a.txt", object_name="junk/1"))
    titled, hidden = add(
        services,
        document(services, by_name, "junk", "real words"),
        document(services, by_key, "A guide", "one", "some junk", "three"),
    )
    (talk,) = add(services, conversation(person, "junk"))
    (said,) = add(services, message(talk, "a long junk text"))
    report = scan(services, Words()).run(ALL)
    for model, ids in (
        (User, [person, tester]),
        (StoredFile, [by_name, by_key]),
        (RagDocument, [titled, hidden]),
        (Conversation, [talk]),
        (Message, [said]),
    ):
        for item_id in ids:
            row = get(services, model, item_id)
            assert row.is_test_data, f"{model.__tablename__} {item_id}"
            assert "words/junk in" in row.test_data_reason
    assert report.marked == report.scanned == 8
    assert report.by_reason["words/junk", "chunk text"] == 1


def test_a_row_without_words_is_judged_by_its_account(services: Services) -> None:
    (owner,) = add(services, user(email="junk@x.org"))
    (theirs,) = add(services, quota(owner))
    scan(services, Words()).run([MODELS["user_storage_quotas"]])
    assert get(services, MODELS["user_storage_quotas"], theirs).is_test_data


def test_rows_with_nothing_or_too_much_in_them_are_read(services: Services) -> None:
    (owner,) = add(services, user(full_name=None))
    (talk,) = add(services, conversation(owner, None))
    add(services, message(talk, ""), message(talk, "x" * 10_000_000 + " junk"))
    report = scan(services, Words()).run(ALL)
    assert (report.scanned, report.marked) == (4, 1)


# What has been read is not read again


def test_what_has_not_changed_is_not_read_again(services: Services) -> None:
    first, _ = add(services, file("a.md"), file("b.md"))
    assert scan(services, Words()).run(ALL).scanned == 2
    assert scan(services, Words()).run(ALL).scanned == 0
    with services.environments["dev"].database.begin() as session:
        session.get_one(StoredFile, first).filename = "junk.md"
    add(services, file("c.md"))
    again = Words()
    report = scan(services, again).run(ALL)
    assert (report.scanned, report.marked) == (2, 1)
    assert {"junk.md", "c.md"} <= set(again.read)


def test_a_change_without_a_time_of_its_own_is_read(services: Services) -> None:
    (item,) = add(services, file("a.md"))
    scan(services, Words()).run(ALL)
    with services.environments["dev"].database.begin() as session:
        session.execute(sa.text("UPDATE stored_files SET filename = 'junk.md'"))
    scan(services, Words()).run(ALL)
    assert get(services, StoredFile, item).is_test_data


def test_what_a_slow_transaction_writes_while_a_scan_runs_is_read_by_the_next(services: Services) -> None:
    (item,) = add(services, file("a.md"))
    slow = services.environments["dev"].database
    with slow.begin() as session:
        session.get_one(StoredFile, item).filename = "junk.md"
        session.flush()
        scan(services, Words()).run(ALL)
    assert not get(services, StoredFile, item).is_test_data
    scan(services, Words()).run(ALL)
    assert get(services, StoredFile, item).is_test_data


def test_another_version_of_the_detector_reads_everything_and_a_full_scan_too(services: Services) -> None:
    add(services, file("a.md"), file("b.md"))
    scan(services, Words()).run(ALL)
    assert scan(services, Words("words-2")).run(ALL).scanned == 2
    assert scan(services, Words("words-2")).run(ALL).scanned == 0
    assert scan(services, Words("words-2"), is_full=True).run(ALL).scanned == 2


def test_only_the_wanted_months_are_read(services: Services) -> None:
    add(
        services,
        file("junk may.md"),
        file("junk june.md", created_at=datetime(2026, 6, 1, tzinfo=UTC)),
        file("junk april.md", created_at=datetime(2026, 4, 30, 23, 59, 59, 999999, tzinfo=UTC)),
    )
    report = scan(services, Words()).run(ALL, lambda month: month == date(2026, 5, 1))
    assert marked(services) == {"junk may.md"}
    assert report.by_month == {date(2026, 5, 1): 1}
    scan(services, Words()).run(ALL)
    assert len(marked(services)) == 3


# Batches


def test_a_scan_that_dies_is_continued(services: Services) -> None:
    add(services, *(file(f"{number} junk.md") for number in range(10)))
    judge = Words()

    def die(step: str, done: int, total: int, *, bytes: int = 0, points: int = 0) -> None:  # noqa: A002
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(services, judge, batch_size=2).run([StoredFile], progress=die)
    assert len(marked(services)) == 4
    report = scan(services, Words(), batch_size=2).run([StoredFile])
    assert (report.scanned, report.marked) == (6, 6)
    assert scan(services, Words(), batch_size=2).run([StoredFile]).marked == 0  # the marks are changes as well
    assert scan(services, Words(), batch_size=2).run([StoredFile]).scanned == 0


def test_two_scans_at_once_share_the_work(services: Services) -> None:
    add(services, *(file(f"{number} junk.md") for number in range(60)))
    scans = [scan(services, Words(), batch_size=3) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        reports = [each.result() for each in [pool.submit(each.run, [StoredFile]) for each in scans]]
    assert sum(each.marked for each in reports) == 60
    assert sum(each.scanned for each in reports) == 60


def test_a_month_that_another_scan_begins_at_the_same_moment_is_gone_on_with(services: Services) -> None:
    add(services, file("junk.md"))
    database = services.environments["dev"].database

    def waits() -> bool:
        with database.begin() as session:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            waiting += "AND wait_event_type = 'Lock' AND query LIKE '%test_data_scans%'"
            return bool(session.scalar(sa.text(waiting)))

    assert scan(services, Words()).run([StoredFile]).marked == 1
    with database.begin() as session:
        begun = session.scalars(sa.select(ScannedMonth)).one()
        columns = {each.name: getattr(begun, each.name) for each in ScannedMonth.__table__.columns}
        session.execute(sa.delete(ScannedMonth))
    with ThreadPoolExecutor(1) as pool:
        with database.begin() as other:  # has read it to its end, and not said so yet
            other.execute(sa.insert(ScannedMonth).values({**columns, "finished_at": None}))
            second = pool.submit(scan(services, Words()).run, [StoredFile])
            wait_until(waits, 20, "the second scan waits")
        assert second.result().scanned == 0, "it goes on where the other one was"


def test_rows_of_one_moment_are_each_read_once(services: Services) -> None:
    add(services, *(file(f"{number}.md", created_at=MAY) for number in range(25)))
    judge = Words()
    assert scan(services, judge, batch_size=4).run([StoredFile]).scanned == 25
    assert sorted(each for each in judge.read if each.endswith(".md")) == sorted(f"{n}.md" for n in range(25))


def test_a_dry_run_says_what_a_real_one_does_and_changes_nothing(services: Services) -> None:
    add(services, file("junk.md"), file("maybe.md"), file("real.md"))
    dry = scan(services, Words(), is_dry_run=True).run(ALL)
    assert marked(services) == set()
    assert waiting(services) == {}
    with services.environments["dev"].database.begin() as session:
        assert session.scalars(sa.select(ScannedMonth)).all() == []
        assert session.scalars(sa.select(DeveloperAction)).all() == []
    real = scan(services, Words()).run(ALL)
    assert [dry.scanned, dry.marked, dry.to_review] == [real.scanned, real.marked, real.to_review] == [3, 1, 1]
    assert dry.examples == real.examples


# Whose word counts


@pytest.mark.parametrize("is_test_data", [True, False])
def test_a_persons_word_stays(services: Services, is_test_data: bool) -> None:
    (item,) = add(services, file("real.md" if is_test_data else "junk.md"))
    with services.environments["dev"].database.begin() as session:
        items = EnvironmentAwareRepository(session, StoredFile)
        items.mark_as_test_data(item, "I know it") if is_test_data else items.mark_as_real(item)
    report = scan(services, Words(), is_full=True).run(ALL)
    assert get(services, StoredFile, item).is_test_data is is_test_data
    assert report.scanned == 0


@pytest.mark.parametrize(
    "columns",
    [
        {"promotion_status": PromotionStatus.APPROVED, "is_promotable": True},
        {"promotion_status": PromotionStatus.PROMOTED},
        {"source_id": uuid4(), "source_environment": "stage"},
    ],
)
def test_what_a_person_approved_is_left_to_people(services: Services, columns: dict[str, object]) -> None:
    (item,) = add(services, file("junk.md", **columns))
    report = scan(services, Words()).run(ALL)
    row = get(services, StoredFile, item)
    assert (row.is_test_data, row.is_promotable) == (False, columns.get("is_promotable", False))
    assert list(waiting(services)) == [str(item)]
    assert (report.marked, report.to_review) == (0, 1)


def test_what_is_between_the_thresholds_waits_for_a_person(services: Services) -> None:
    (item,) = add(services, file("maybe.md"))
    scan(services, Words()).run(ALL)
    detection = services.detection("dev")
    ((review,), total) = detection.waiting(10)
    assert (review.item_id, review.label, review.score, total) == (item, "maybe.md", 0.7, 1)
    assert "the judge knows it" in review.reason
    detection.decide(item, is_test_data=True, person=uuid4(), reason=None)
    row = get(services, StoredFile, item)
    assert (row.is_test_data, row.test_data_reason) == (True, review.reason)
    assert detection.waiting(10) == ([], 0)


def test_what_looks_real_now_waits_no_more_and_is_unmarked(services: Services) -> None:
    junk, maybe = add(services, file("junk.md"), file("maybe.md"))
    scan(services, Words()).run(ALL)
    report = scan(services, Words("words-2", scores={})).run(ALL)
    assert report.unmarked == 1
    assert waiting(services) == {}
    row = get(services, StoredFile, junk)
    assert (row.is_test_data, row.test_data_reason) == (False, None)
    assert not get(services, StoredFile, maybe).is_test_data


def test_what_is_decided_while_a_scan_reads_is_not_overruled(services: Services) -> None:
    (item,) = add(services, file("junk.md"))
    judge = Words()
    real_judgement = judge.judge_row

    def decide_meanwhile(*read: object) -> object:
        with services.environments["dev"].database.begin() as session:
            EnvironmentAwareRepository(session, StoredFile).mark_as_real(item)
        return real_judgement(*read)  # type: ignore[arg-type]

    judge.judge_row = decide_meanwhile  # type: ignore[method-assign, assignment]
    report = scan(services, judge).run([StoredFile])
    assert not get(services, StoredFile, item).is_test_data
    assert report.marked == 0


# What is written down


def test_marks_are_audited_and_block_promotion(services: Services) -> None:
    (item,) = add(services, file("junk.md", is_promotable=True))
    scan(services, Words()).run(ALL)
    with services.environments["dev"].database.begin() as session:
        (action,) = session.scalars(sa.select(DeveloperAction))
        assert (action.action, action.developer_id) == ("scan_marked_test_data", None)
        assert action.details is not None
        assert action.details["item_ids"] == [str(item)]
        assert action.details["detector_version"] == "words-1"
        row = session.get_one(StoredFile, item)
        assert (row.is_promotable, row.promotion_status, row.test_data_by_person) == (False, "draft", False)
    scan(services, Words("words-2", scores={})).run(ALL)
    with services.environments["dev"].database.begin() as session:
        actions = session.scalars(sa.select(DeveloperAction).order_by(DeveloperAction.sequence)).all()
        assert [each.action for each in actions] == ["scan_marked_test_data", "scan_unmarked_test_data"]


def test_marking_is_no_edit(services: Services) -> None:
    (item,) = add(services, file("junk.md"))
    before = get(services, StoredFile, item).updated_at
    scan(services, Words()).run(ALL)
    assert get(services, StoredFile, item).updated_at == before


def test_examples_are_safe_in_a_spreadsheet(services: Services) -> None:
    add(services, file("=HYPERLINK(junk).md"))
    (example,) = scan(services, Words()).run(ALL).examples
    assert (example.label, example.safe_label) == ("=HYPERLINK(junk).md", "'=HYPERLINK(junk).md")


def test_what_this_project_calls_objects_is_not_read() -> None:
    own = f"stored_files/{uuid4()}/{uuid4()}/{'0e2e' * 16}"
    assert typed(own) is None
    for other in (f"uploads/{uuid4()}.pdf", f"test-data/{own}", f"{own}.bak", "stored_files/test", "", None):
        assert typed(other) == other
