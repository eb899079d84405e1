"""What the repository lets people see and do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.catalog.conftest import OpenDatabase
from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentAccessLog
from wisqu_pipelines.audit.verification import verify
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import RagDocument, StoredFile, TestDataMark
from wisqu_pipelines.catalog.repository import MAX_REASON, EnvironmentAwareRepository
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import BadInput, ItemNotFound, ItemRefused, UnknownEnvironment

DEVELOPER = UUID(int=7)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class _StoppedClock:
    def now(self) -> datetime:
        return AT


def file(**values: Any) -> StoredFile:
    filled: dict[str, Any] = {
        "id": uuid4(),
        "filename": "guide.md",
        "bucket": "documents",
        "object_name": str(uuid4()),
        "content_type": "text/markdown",
        "file_size_bytes": 1,
    }
    return StoredFile(**filled | values)


def put(database: Database, *rows: StoredFile) -> list[UUID]:
    with database.begin() as session:
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def files(session: Session, **options: Any) -> EnvironmentAwareRepository[StoredFile]:
    return EnvironmentAwareRepository(session, StoredFile, clock=_StoppedClock(), **options)


class TestReading:
    def test_only_visible_rows_of_the_own_environment(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        seen, test, deleted, foreign = put(
            dev, file(), file(is_test_data=True), file(is_deleted=True), file(environment="prod")
        )
        with dev.snapshot() as session:
            repository = files(session)
            assert {row.id for row in repository.get_all()} == {seen, test}
            assert repository.get_by_id(test).is_test_data
            for hidden in (deleted, foreign, uuid4()):
                with pytest.raises(ItemNotFound, match=f"no {hidden} among the stored_files of dev"):
                    repository.get_by_id(hidden)

    def test_test_data_is_left_out_where_the_settings_say_so(self, databases: OpenDatabase) -> None:
        prod = databases("prod")
        seen, test = put(prod, file(), file(is_test_data=True))
        with prod.snapshot() as session:
            assert [row.id for row in files(session).get_all()] == [seen]
            with pytest.raises(ItemNotFound):
                files(session).get_by_id(test)
            everything = files(session, auto_exclude_test_data=False)
            assert {row.id for row in everything.get_all()} == {seen, test}
            assert everything.get_by_id(test).id == test

    def test_pages_have_every_row_once(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        wanted = put(dev, *(file() for _ in range(5)))  # in one transaction, and so with one created_at
        wanted += put(dev, file(), file())
        found: list[UUID] = []
        with dev.snapshot() as session:
            while page := files(session).get_all(limit=3, after=found[-1] if found else None):
                assert len(page) <= 3
                found += [row.id for row in page]
            assert len(found) == len(set(found))
            assert set(found) == set(wanted)
            assert set(found[5:]) == set(wanted[5:])
            with pytest.raises(ItemNotFound):
                files(session).get_all(after=uuid4())
            with pytest.raises(BadInput, match="the limit 0"):
                files(session).get_all(limit=0)

    def test_rows_by_status(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        put(dev, file())
        promoted = put(dev, file(promotion_status=PromotionStatus.PROMOTED))
        with dev.snapshot() as session:
            assert [row.id for row in files(session).get_all(status=PromotionStatus.PROMOTED)] == promoted

    def test_promotable_are_the_rows_that_a_preview_takes(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        approved = {"is_promotable": True, "promotion_status": PromotionStatus.APPROVED}
        wanted = put(dev, file(**approved), file(**approved))
        put(
            dev,
            file(),
            file(**approved | {"is_promotable": False}),
            file(**approved | {"promotion_status": PromotionStatus.PROMOTED}),
            file(**approved, is_test_data=True),
            file(**approved, is_deleted=True),
        )
        with dev.snapshot() as session:
            found = files(session).get_promotable_items()
            assert {row.id for row in found} == set(wanted)
            assert all(row.can_be_promoted for row in found)
            assert len(files(session).get_promotable_items(limit=1)) == 1


class TestMarking:
    def test_approval_and_its_audit_are_one(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        (item_id,) = put(dev, file())
        with dev.begin() as session:
            row = files(session).approve_for_promotion(item_id, developer_id=DEVELOPER, reason="it is good")
            assert row.can_be_promoted
        with dev.snapshot() as session:
            assert files(session).get_by_id(item_id).promotion_status == PromotionStatus.APPROVED
            action = session.scalars(sa.select(DeveloperAction)).one()
            assert (action.developer_id, action.environment, action.action) == (
                DEVELOPER,
                "dev",
                "approve_for_promotion",
            )
            assert (action.reason, action.occurred_at) == ("it is good", AT)
            assert action.details == {"type": "stored_files", "item_id": str(item_id)}
            assert list(verify(session, DeveloperAction)) == []

    def test_what_fails_leaves_neither(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        good, test = put(dev, file(), file(is_test_data=True, test_data_reason="lorem"))

        def approve_both() -> None:
            with dev.begin() as session:
                for item_id in (good, test):
                    files(session).approve_for_promotion(item_id)

        with pytest.raises(ItemRefused, match=r"test data \(lorem\)"):
            approve_both()
        with dev.snapshot() as session:
            assert files(session).get_by_id(good).promotion_status == PromotionStatus.DRAFT
            assert session.scalars(sa.select(DeveloperAction)).all() == []

    def test_test_data_is_marked_and_unmarked(self, databases: OpenDatabase) -> None:
        prod = databases("prod")
        (item_id,) = put(prod, file(is_promotable=True, promotion_status=PromotionStatus.APPROVED))
        with prod.begin() as session:
            files(session).mark_as_test_data(item_id, "lorem ipsum", developer_id=DEVELOPER)
        with prod.begin() as session:
            assert files(session).get_all() == []
            row = files(session).mark_as_real(item_id, developer_id=DEVELOPER, reason="it is Latin")
            assert (row.is_test_data, row.test_data_reason, row.promotion_status) == (False, None, "draft")
            assert not row.can_be_promoted
        with prod.begin() as session:
            actions = session.scalars(sa.select(DeveloperAction).order_by(DeveloperAction.sequence)).all()
            assert [(each.action, each.reason) for each in actions] == [
                ("mark_as_test_data", "lorem ipsum"),
                ("mark_as_real", "it is Latin"),
            ]

    def test_what_a_person_said_last_is_kept_with_the_words_as_they_were(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        said, other = put(dev, file(filename="تست.md"), file())
        with dev.begin() as session:
            files(session).mark_as_test_data(said, "it is", developer_id=DEVELOPER)
        with dev.begin() as session:
            row = files(session).mark_as_real(said)
            row.filename = "x" * 255
        with dev.begin() as session:
            (mark,) = session.scalars(sa.select(TestDataMark))
            assert (mark.item_type, mark.item_id, mark.is_test_data, mark.marked_by) == (
                "stored_files",
                said,
                False,
                None,
            )
            assert mark.texts["filename"] == "تست.md"
            assert [files(session).get_by_id(each).test_data_by_person for each in (said, other)] == [True, False]

    @pytest.mark.parametrize(
        ("reason", "sentence"),
        [("", "empty"), ("  ", "empty"), ("a\0", "NUL"), ("x" * (MAX_REASON + 1), "501 characters")],
    )
    def test_an_unusable_reason_is_refused(self, databases: OpenDatabase, reason: str, sentence: str) -> None:
        dev = databases("dev")
        (item_id,) = put(dev, file())
        with dev.begin() as session, pytest.raises(BadInput, match=sentence):
            files(session).mark_as_test_data(item_id, reason)
        with dev.snapshot() as session:
            assert not files(session).get_by_id(item_id).is_test_data

    def test_what_a_promotion_holds_is_left_alone(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        (item_id,) = put(dev, file(promotion_status=PromotionStatus.PROMOTING, held_by_promotion_id=uuid4()))
        with dev.begin() as session:
            with pytest.raises(ItemRefused, match="a running promotion holds it"):
                files(session).approve_for_promotion(item_id)
            with pytest.raises(ItemRefused, match="a running promotion holds it"):
                files(session).mark_as_test_data(item_id, "x")

    def test_a_mark_waits_for_the_promotion_that_is_claiming_the_row(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        (item_id,) = put(dev, file())
        outcome: list[Exception | None] = []

        def mark() -> None:
            try:
                with dev.begin() as session:
                    before = session.get_one(StoredFile, item_id)  # the lock must read it again
                    read.set()
                    assert files(session).mark_as_test_data(item_id, "x") is before
                outcome.append(None)
            except ItemRefused as error:
                outcome.append(error)

        read = threading.Event()
        thread = threading.Thread(target=mark)
        with dev.begin() as claiming:
            row = claiming.get(StoredFile, item_id, with_for_update=True)
            assert row is not None
            thread.start()
            assert read.wait(30)
            row.promotion_status = PromotionStatus.PROMOTING
        thread.join(30)
        assert isinstance(outcome[0], ItemRefused)

    def test_deleted_and_unknown_rows_are_not_marked(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        (deleted,) = put(dev, file(is_deleted=True))
        for item_id in (deleted, uuid4()):
            with dev.begin() as session:
                with pytest.raises(ItemNotFound):
                    files(session).approve_for_promotion(item_id)
                with pytest.raises(ItemNotFound):
                    files(session).mark_as_test_data(item_id, "x")

    def test_a_document_is_approved_alone(self, databases: OpenDatabase) -> None:
        dev = databases("dev")
        (file_id,) = put(dev, file())
        document = RagDocument(
            file_id=file_id, title="t", collection="c", vector_version=uuid4(), point_count=1, embedding="e"
        )
        with dev.begin() as session:
            session.add(document)
        with dev.begin() as session:
            EnvironmentAwareRepository(session, RagDocument).approve_for_promotion(document.id)
            assert files(session).get_by_id(file_id).promotion_status == PromotionStatus.DRAFT


class TestOtherEnvironments:
    @pytest.fixture
    def elsewhere(self, databases: OpenDatabase) -> Any:
        @contextmanager
        def open_environment(name: str) -> Iterator[Session]:
            with databases(name).begin() as session:
                yield session

        return open_environment

    def test_a_read_is_written_down_where_it_happened(self, databases: OpenDatabase, elsewhere: Any) -> None:
        (item_id,) = put(databases("prod"), file(is_test_data=True, filename="there.md"))
        with databases("dev").begin() as session:
            repository = files(session, open_environment=elsewhere)
            row = repository.get_by_id_any_environment(item_id, "prod", user_id=DEVELOPER, reason="a complaint")
            assert (row.filename, row.environment) == ("there.md", "prod")
            assert row not in session
        with databases("prod").snapshot() as session:
            log = session.scalars(sa.select(EnvironmentAccessLog)).one()
            assert (log.user_id, log.environment, log.access_type) == (DEVELOPER, "prod", "read")
            assert log.reason == "a complaint"
            assert log.details == {
                "type": "stored_files", "item_id": str(item_id), "from_environment": "dev", "found": True,
            }  # fmt: skip
            assert list(verify(session, EnvironmentAccessLog)) == []

    def test_a_vain_read_is_written_down_too(self, databases: OpenDatabase, elsewhere: Any) -> None:
        wanted = uuid4()
        with (
            databases("dev").begin() as session,
            pytest.raises(ItemNotFound, match=f"{wanted} among the stored_files of prod"),
        ):
            files(session, open_environment=elsewhere).get_by_id_any_environment(wanted, "prod")
        with databases("prod").snapshot() as session:
            log = session.scalars(sa.select(EnvironmentAccessLog)).one()
            assert log.details is not None
            assert log.details["found"] is False

    def test_what_cannot_be_reached_is_refused(self, databases: OpenDatabase, elsewhere: Any) -> None:
        with databases("dev").begin() as session:
            with pytest.raises(BadInput, match="only dev is open here"):
                files(session).get_by_id_any_environment(uuid4(), "prod")
            with pytest.raises(UnknownEnvironment, match="'moon'"):
                files(session, open_environment=elsewhere).get_by_id_any_environment(uuid4(), "moon")
