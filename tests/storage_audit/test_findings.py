"""What an audit finds, and what it leaves in peace."""

import io
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from tests.storage_audit.stores import DIMENSION, Stores
from wisqu_pipelines.catalog.models import StoredFile
from wisqu_pipelines.environments.markers import MARKER_OBJECT
from wisqu_pipelines.storage_audit.report import SHOWN_FINDINGS, Problem


def test_what_belongs_together_is_clean(stores: Stores) -> None:
    for number in range(3):
        stores.document(f"{number}.md", f"text {number}", chunks=2)
    stores.promote_all()
    for env in ("dev", "stage"):
        report, found = stores.run(env)
        assert report.is_clean
        assert found == []
        assert [each.listed.count for each in report.stores] == [3, 3]
        assert report.stores[1].listed.points == 6
        assert not report.promotion_under_way
    assert stores.marks("dev") == {}


def test_orphans_are_told_with_their_sizes(stores: Stores) -> None:
    stores.document()
    key = stores.put("stored_files/lost", b"12345")
    version = stores.put_points(4)
    report, found = stores.run()
    objects, points = report.stores
    assert (objects.orphans.count, objects.orphans.bytes) == (1, 5)
    assert (points.orphans.count, points.orphans.points, points.orphans.bytes) == (1, 4, 4 * DIMENSION * 4)
    assert [each.name for each in found] == [key, version]
    assert f"readers find {4} of them" in found[1].sentence
    assert not report.is_clean
    assert report.newly_marked == 2
    assert {key, version} == set(stores.marks())
    assert MARKER_OBJECT in stores.object_keys()
    assert stores.object_keys() >= {key}, "an audit removes nothing"
    assert stores.run()[0].newly_marked == 0


def test_folders_and_names_mix(stores: Stores) -> None:
    """The server lists `a/b` before `a-b`: a comparison that trusts the order goes wrong here."""
    mixed = ("x/b", "x-b", "x", "xa/1", "xa", "x/", "x0")
    keys = [stores.put(key) for key in mixed if not key.endswith("/")]
    for key in keys[::2]:
        stores.row_for(key)
    assert stores.orphan_names() == set(keys[1::2])
    assert stores.danglings() == []


def test_rows_that_miss_their_object(stores: Stores) -> None:
    gone, other, whole = (stores.file_of(stores.document(name, "some text")) for name in ("a.md", "b.md", "c.md"))
    stores.environment("dev").objects.delete(stores.bucket(), [gone.object_name])
    with stores.environment("dev").database.begin() as session:
        session.execute(update(StoredFile).where(StoredFile.id == other.id).values(file_size_bytes=4))
    found = {each.row: each for each in stores.danglings()}
    assert set(found) == {gone.id, other.id}
    assert "is not there, and the row says 9 bytes" in found[gone.id].sentence
    assert "has 9 bytes, and the row says 4" in found[other.id].sentence
    assert (found[gone.id].bytes, found[other.id].bytes) == (9, 4)
    assert whole.id not in found
    report = stores.repair()
    assert (report.danglings.count, report.stores[0].danglings.bytes) == (2, 13)
    assert not report.is_clean, "a dangling is reported and never repaired"


def test_rows_that_miss_points(stores: Stores) -> None:
    fewer, more, hidden, whole = (stores.document(f"{name}.md", name, chunks=3) for name in "abcd")
    vectors = stores.environment("dev").vectors
    points = {
        document: [point.id for point in vectors.scroll(stores.collection(), {"document_id": str(document)})]
        for document in (fewer, hidden)
    }
    vectors.delete(stores.collection(), points[fewer][:1])
    row = stores.row(more)
    stores.put_points(5, row.vector_version, document_id=str(more))
    vectors.set_payload(stores.collection(), points[hidden][:2], {"environment": "staging:dev"})
    found = {each.row: each for each in stores.danglings()}
    assert set(found) == {fewer, more, hidden}
    assert "2 of its 3 points are there" in found[fewer].sentence
    assert "5 of its 3 points are there" in found[more].sentence
    assert "readers find 1 of its 3 points" in found[hidden].sentence
    assert found[fewer].points == 3
    assert whole not in found
    stores.change(hidden, "dev", is_deleted=True)
    assert hidden not in {each.row for each in stores.danglings()}, "nobody reads a deleted document"
    stores.change(fewer, "dev", is_deleted=True)
    assert fewer in {each.row for each in stores.danglings()}, "it could not be restored"


def test_points_of_another_document_are_no_replacement(stores: Stores) -> None:
    document = stores.document(chunks=2)
    ids = [each.id for each in stores.environment("dev").vectors.scroll(stores.collection(), {})]
    stores.environment("dev").vectors.set_payload(stores.collection(), ids, {"document_id": str(uuid4())})
    (found,) = stores.danglings()
    assert found.row == document
    assert "0 of its 2 points are there" in found.sentence


@pytest.mark.parametrize("columns", [{"is_deleted": True}, {"is_test_data": True, "test_data_reason": "a test"}])
def test_every_row_needs_its_own(stores: Stores, columns: dict[str, Any]) -> None:
    document = stores.document()
    stores.change(document, "dev", **columns)
    key = stores.put("stored_files/kept")
    stores.row_for(key, **columns)
    assert stores.orphan_names() == set()


def test_the_same_key_in_another_bucket_is_not_needed(stores: Stores) -> None:
    stores.row_for(stores.put("stored_files/twice"))
    images = stores.environment("dev").settings.get_bucket_name(stores.services.settings.buckets[1])
    with stores.environment("dev").objects.read(stores.bucket(), "stored_files/twice") as parts:
        data = b"".join(parts)

    stores.environment("dev").objects.put(images, "stored_files/twice", io.BytesIO(data), len(data))
    (found,) = [each for each in stores.run()[1] if each.problem == Problem.ORPHAN]
    assert found.container == images


def test_points_that_somebody_else_wrote_are_told_and_stay(stores: Stores) -> None:
    stores.put_points(2, "of another\u202eprogram")
    report, found = stores.run()
    assert report.stores[1].orphans.points == 2
    assert "did not write" in found[0].sentence
    assert "\u202e" not in found[0].sentence
    assert stores.marks() == {}
    assert stores.repair().stores[1].swept.count == 0


def test_all_findings_are_told_and_the_report_has_the_first(stores: Stores) -> None:
    keys = {stores.put(f"lost/{number:03}") for number in range(SHOWN_FINDINGS + 5)}
    report, found = stores.run()
    assert {each.name for each in found} == keys
    assert len(report.findings) == SHOWN_FINDINGS
    assert report.orphans.count == len(keys)


def test_a_row_in_a_bucket_that_is_not_there(stores: Stores) -> None:
    row = stores.row_for("anywhere")
    with stores.environment("dev").database.begin() as session:
        session.execute(update(StoredFile).values(bucket="no-such-bucket"))
    (found,) = stores.danglings()
    assert (found.row, found.container) == (row, "dev-no-such-bucket")
