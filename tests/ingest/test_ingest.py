import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from tests.ingest.conftest import MakeIngest, WholeCheck
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog import points
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.repository import EnvironmentAwareRepository
from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadInput, CollectionMismatch, ItemNotFound
from wisqu_pipelines.ingest.names import DocumentNames
from wisqu_pipelines.ingest.report import Outcome
from wisqu_pipelines.ingest.service import IngestService
from wisqu_pipelines.ports.vectors import Point

GUIDE = "# Guide\n\n" + "How to install the package.\n\n" * 80


class SmallEmbedder:
    name, dimension = "small", 8

    def embed(self, texts: Any) -> Any:
        raise AssertionError


def actions(environment: Environment) -> int:
    with environment.database.snapshot() as session:
        wanted = select(func.count()).select_from(DeveloperAction).where(DeveloperAction.action == "ingest")
        return session.scalar(wanted) or 0


def document(environment: Environment, name: str) -> RagDocument:
    with environment.database.begin() as session:
        return session.get_one(RagDocument, DocumentNames.of(environment.name, name).document_id)


def change(environment: Environment, name: str, **values: Any) -> None:
    """Somebody else's change to both rows of a document."""
    names = DocumentNames.of(environment.name, name)
    with environment.database.begin() as session:
        for row in (session.get_one(StoredFile, names.file_id), session.get_one(RagDocument, names.document_id)):
            for column, value in values.items():
                setattr(row, column, value)


def test_a_document_becomes_rows_an_object_and_points(
    ingest: IngestService, dev: Environment, folder: Path, services: Services, whole: WholeCheck
) -> None:
    (folder / "guide.md").write_text(GUIDE)
    person = uuid4()
    report = ingest.ingest([folder], ingested_by=person)

    (file,) = report.files
    assert (file.filename, file.outcome, file.bytes) == ("guide.md", Outcome.CREATED, len(GUIDE))
    assert whole(dev) == {"guide.md": hashlib.sha256(GUIDE.encode()).hexdigest()}
    with dev.database.begin() as session:
        row = session.get_one(StoredFile, file.file_id)
        found = session.get_one(RagDocument, file.document_id)
        audit = session.scalars(select(DeveloperAction).where(DeveloperAction.action == "ingest")).one()
    assert (row.environment, row.content_type, row.purpose) == ("dev", "text/markdown", "rag_corpus")
    assert (row.promotion_status, row.is_promotable, row.is_test_data) == ("draft", False, False)
    assert (found.title, found.point_count, found.embedding) == ("Guide", file.points, services.embedder.name)
    assert found.point_count > 1
    assert (audit.developer_id, audit.details and audit.details["filename"]) == (person, "guide.md")

    collection = dev.settings.get_collection_name(services.settings.default_collection)
    stored = dev.vectors.retrieve(collection, [points.point_id(found.vector_version, 0)])
    (point,) = stored.values()
    assert point.payload == {
        "document_id": str(found.id),
        "version": str(found.vector_version),
        "chunk": 0,
        "environment": "dev",
        "text": point.payload["text"],
        "title": "Guide",
        "filename": "guide.md",
    }
    stat = dev.objects.stat(dev.settings.get_bucket_name(row.bucket), row.object_name)
    assert stat is not None
    assert stat.metadata["filename"] == "guide.md"
    assert "guide" not in row.object_name


def test_the_same_bytes_again_change_nothing(
    ingest: IngestService, dev: Environment, folder: Path, whole: WholeCheck
) -> None:
    (folder / "a.md").write_text(GUIDE)
    (folder / "راهنما.txt").write_text("نماز صبح دو رکعت است")
    first, version = ingest.ingest([folder]), document(dev, "a.md").vector_version
    change(dev, "a.md", promotion_status=PromotionStatus.APPROVED, is_promotable=True)
    second = ingest.ingest([folder])

    assert [each.outcome for each in second.files] == [Outcome.UNCHANGED] * 2
    assert (second.bytes, second.points) == (first.bytes, first.points)
    assert document(dev, "a.md").vector_version == version
    assert document(dev, "a.md").can_be_promoted
    assert actions(dev) == 2
    assert whole(dev).keys() == {"a.md", "راهنما.txt"}


def test_new_bytes_under_a_known_name_replace_the_old_and_need_a_new_approval(
    ingest: IngestService, dev: Environment, folder: Path, whole: WholeCheck
) -> None:
    (folder / "a.md").write_text(GUIDE)
    ingest.ingest([folder])
    change(dev, "a.md", promotion_status=PromotionStatus.APPROVED, is_promotable=True)
    old = document(dev, "a.md")
    (folder / "a.md").write_text("# Other\n\nShort.")
    report = ingest.ingest([folder])

    assert [each.outcome for each in report.files] == [Outcome.UPDATED]
    new = document(dev, "a.md")
    assert (new.id, new.title, new.point_count) == (old.id, "Other", 1)
    assert new.vector_version != old.vector_version
    assert (new.promotion_status, new.is_promotable) == ("draft", False)
    assert whole(dev) == {"a.md": hashlib.sha256(b"# Other\n\nShort.").hexdigest()}

    (folder / "a.md").write_text(GUIDE)
    assert ingest.ingest([folder]).count(Outcome.UPDATED) == 1
    assert document(dev, "a.md").vector_version == old.vector_version
    whole(dev)


def test_a_folder_with_bad_files_gives_the_good_ones_and_names_the_others(
    ingest: IngestService, dev: Environment, folder: Path, whole: WholeCheck
) -> None:
    good = {"a.md": "# A\n\nText", "LICENSE": "MIT", "sub/b.html": "<p>b", "راهنما.rst": "عنوان\n=====\n\nمتن"}
    bad = {
        "empty.md": b"",
        "broken.pdf": b"%PDF-1.4",
        "program": b"\x7fELF\0\0",
        "=1+1.md": b"x",
        "x\u202etxt.md": b"x",
    }
    (folder / "sub").mkdir()
    for name, text in good.items():
        (folder / name).write_text(text)
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    report = ingest.ingest([folder])

    assert whole(dev).keys() == good.keys()
    assert {each.filename for each in report.refused} == bad.keys()
    for each in report.refused:
        assert each.reason
        assert each.reason.isprintable()
    assert report.count(Outcome.CREATED) == len(good)


def test_many_documents_go_in_together_and_progress_is_told(
    ingest: IngestService, dev: Environment, folder: Path, whole: WholeCheck
) -> None:
    for number in range(40):
        (folder / f"{number:02}.txt").write_text(f"Document number {number}")
    told: list[tuple[int, int, int, int]] = []

    def progress(step: str, done: int, total: int, *, bytes: int = 0, points: int = 0) -> None:  # noqa: A002
        assert step == "ingest"
        told.append((done, total, bytes, points))

    report = ingest.ingest([folder], progress=progress)
    assert [each.filename for each in report.files] == sorted(each.filename for each in report.files)
    assert [each[0] for each in told] == list(range(1, 41))
    assert told[-1] == (40, 40, report.bytes, 40)
    assert len(whole(dev)) == actions(dev) == 40


def test_what_cannot_be_done_at_all_is_refused_before_anything_changed(
    ingest: IngestService, dev: Environment, services: Services, folder: Path, whole: WholeCheck
) -> None:
    (folder / "a.md").write_text("x")
    for name, reason in [("nothing.md", "no such file"), ("x" * 5_000, "5000 characters"), ("a\0.md", "NUL")]:
        with pytest.raises(BadInput, match=reason):
            ingest.ingest([folder, folder / name])
    with pytest.raises(ItemNotFound, match="among the users of dev"):
        ingest.ingest([folder], owner_id=uuid4())
    with pytest.raises(CollectionMismatch, match=r"384 dimensions.*8 for the embedder small"):
        IngestService(dev, services.settings, SmallEmbedder(), TextJudge(), services.clock).ingest([folder])
    assert whole(dev) == {}


def test_a_document_that_a_promotion_holds_is_not_replaced(
    ingest: IngestService, dev: Environment, folder: Path, whole: WholeCheck
) -> None:
    (folder / "a.md").write_text("one")
    ingest.ingest([folder])
    change(dev, "a.md", promotion_status=PromotionStatus.PROMOTING)
    assert ingest.ingest([folder]).count(Outcome.UNCHANGED) == 1
    (folder / "a.md").write_text("two")
    (refused,) = ingest.ingest([folder]).refused
    assert "a running promotion holds it" in str(refused.reason)
    assert "a.md" in str(refused.reason)
    assert whole(dev) == {"a.md": hashlib.sha256(b"one").hexdigest()}


def test_a_promotion_that_takes_the_document_meanwhile_wins(
    ingest_into: MakeIngest, dev: Environment, folder: Path, whole: WholeCheck
) -> None:
    (folder / "a.md").write_text("one")
    ingest_into(dev).ingest([folder])
    (folder / "a.md").write_text("two")

    class Taken:
        def __getattr__(self, name: str) -> Any:
            if name == "upsert":
                change(dev, "a.md", promotion_status=PromotionStatus.PROMOTING)
            return getattr(dev.vectors, name)

    report = ingest_into(replace(dev, vectors=Taken())).ingest([folder])
    assert "a running promotion holds it" in str(report.files[0].reason)
    assert whole(dev) == {"a.md": hashlib.sha256(b"one").hexdigest()}


def test_a_name_that_another_row_has_is_refused(ingest: IngestService, dev: Environment, folder: Path) -> None:
    with dev.database.begin() as session:
        session.add(
            StoredFile(
                filename="a.md",
                bucket="b",
                object_name="o",
                content_type="text/plain",
                file_size_bytes=1,
                checksum_sha256="0" * 64,
                source_id=uuid4(),
                source_environment="test",
            )
        )
    (folder / "a.md").write_text("x")
    (refused,) = ingest.ingest([folder]).refused
    assert "came by promotion from test" in str(refused.reason)
    assert actions(dev) == 0


def test_a_deleted_document_comes_back_when_it_is_ingested_again(
    ingest: IngestService, dev: Environment, folder: Path, whole: WholeCheck
) -> None:
    (folder / "a.md").write_text("one")
    ingest.ingest([folder])
    change(dev, "a.md", is_deleted=True)
    assert ingest.ingest([folder]).count(Outcome.UPDATED) == 1
    assert document(dev, "a.md").is_active
    whole(dev)


def test_what_somebody_lost_is_put_back_and_what_does_not_belong_goes(
    ingest: IngestService, dev: Environment, services: Services, folder: Path, whole: WholeCheck
) -> None:
    (folder / "a.md").write_text(GUIDE)
    ingest.ingest([folder])
    version = document(dev, "a.md").vector_version
    collection = dev.settings.get_collection_name(services.settings.default_collection)
    bucket = dev.settings.get_bucket_name(services.settings.default_bucket)
    dev.vectors.delete(collection, [points.point_id(version, 1)])
    dev.objects.delete(bucket, [each.key for each in dev.objects.list(bucket, "stored_files/")])
    assert ingest.ingest([folder]).count(Outcome.UNCHANGED) == 1
    assert whole(dev).keys() == {"a.md"}

    stray = {points.DOCUMENT_ID: str(document(dev, "a.md").id), points.VERSION: str(uuid4())}
    dev.vectors.upsert(collection, [Point(uuid4(), [1.0] * 384, stray | {points.ENVIRONMENT: "dev"})])
    assert ingest.ingest([folder]).count(Outcome.UNCHANGED) == 1
    assert whole(dev).keys() == {"a.md"}


def test_two_ingests_at_once_do_not_get_into_each_others_way(
    ingest_into: MakeIngest, dev: Environment, tmp_path: Path, whole: WholeCheck
) -> None:
    for turn in ("one", "two"):
        for number in range(6):
            path = tmp_path / turn / f"{number}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text("the same" if number < 3 else f"of {turn}")
    failed: list[BaseException] = []

    def run(turn: str) -> None:
        try:
            for _ in range(3):
                assert not ingest_into(dev).ingest([tmp_path / turn]).refused
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(turn,)) for turn in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(whole(dev)) == 6


def test_environments_do_not_share_documents(
    ingest_into: MakeIngest, services: Services, folder: Path, whole: WholeCheck
) -> None:
    (folder / "a.md").write_text("one")
    assert ingest_into(services.environments["dev"]).ingest([folder]).count(Outcome.CREATED) == 1
    assert whole(services.environments["stage"]) == {}
    assert ingest_into(services.environments["stage"]).ingest([folder]).count(Outcome.CREATED) == 1
    whole(services.environments["stage"])


# Test data


def test_what_looks_like_test_data_is_marked_on_the_way_in(
    ingest: IngestService, dev: Environment, tmp_path: Path
) -> None:
    (tmp_path / "test upload 3.md").write_text("# Zakat\n\nOn what is due, and from whom.\n")
    (tmp_path / "zakat.md").write_text("# Dummy document\n\nThis is a test message, please ignore.\n")
    (tmp_path / "fasting.md").write_text("# Test cricket and fasting\n\nMay a player break the fast?\n")
    report = ingest.ingest([tmp_path])
    with dev.database.begin() as session:
        files = {row.filename: row for row in session.scalars(select(StoredFile))}
        titles = {row.title: row for row in session.scalars(select(RagDocument))}
        assert files["test upload 3.md"].is_test_data
        assert "test upload 3" in (files["test upload 3.md"].test_data_reason or "")
        assert not files["zakat.md"].is_test_data
        assert titles["Dummy document"].is_test_data
        assert not files["fasting.md"].is_test_data
        assert not titles["Test cricket and fasting"].is_test_data
    assert len(report.files) == 3


def test_a_persons_word_outlives_new_content(ingest: IngestService, dev: Environment, tmp_path: Path) -> None:
    path = tmp_path / "test upload 3.md"
    path.write_text("# Zakat\n\nOn what is due.\n")
    (ingested,) = ingest.ingest([path]).files
    assert ingested.file_id is not None
    with dev.database.begin() as session:
        EnvironmentAwareRepository(session, StoredFile).mark_as_real(ingested.file_id)
    path.write_text("# Zakat\n\nOn what is due, and when.\n")
    ingest.ingest([path])
    with dev.database.begin() as session:
        assert not session.get_one(StoredFile, ingested.file_id).is_test_data
