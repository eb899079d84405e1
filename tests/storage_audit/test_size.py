"""An audit of any size in the same memory. The stores only make names up; the database is real."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.storage_audit.stores import Stores
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.ports.objects import ObjectInfo
from wisqu_pipelines.ports.vectors import CollectionInfo, Point
from wisqu_pipelines.storage_audit.report import AuditReport
from wisqu_pipelines.storage_audit.service import StorageAudit

POINTS_EACH = 2
ROWS = """
WITH made AS (
    INSERT INTO stored_files (id, environment, filename, bucket, object_name, content_type, file_size_bytes)
    SELECT lpad(n::text, 32, '0')::uuid, 'dev', 'x', :bucket, 'stored_files/' || n, 'text/plain', 10
    FROM generate_series(0, :count - 1) n RETURNING id
)
INSERT INTO rag_documents (id, environment, file_id, title, collection, vector_version, point_count, embedding)
SELECT id, 'dev', id, 'x', :collection, id, 2, 'none' FROM made
"""


class Objects:
    """So many objects; every hundredth row's object has another name, and the next row's another size."""

    def __init__(self, count: int) -> None:
        self._count = count

    def bucket_exists(self, bucket: str) -> bool:
        return bucket.endswith("-documents")

    def list(self, _: str) -> Iterator[ObjectInfo]:
        for number in range(self._count):
            key = f"lost/{number}" if number % 100 == 0 else f"stored_files/{number}"
            yield ObjectInfo(key, 11 if number % 100 == 1 else 10, "")

    def stat(self, _: str, key: str) -> ObjectInfo | None:
        number = int(key.rpartition("/")[2])
        return None if number % 100 == 0 else ObjectInfo(key, 11, "")


class Vectors:
    """The points of so many documents, a document's far apart."""

    def __init__(self, count: int) -> None:
        self._count = count

    def describe(self, collection: str) -> CollectionInfo:
        return CollectionInfo(collection, 384, "Cosine")

    def scroll(self, _: str, match: dict[str, Any]) -> Iterator[Point]:
        assert match == {}
        for chunk in range(POINTS_EACH):
            for number in range(self._count):
                of = str(UUID(f"{number:032}"))
                yield Point(UUID(int=chunk), (), {"version": of, "document_id": of, "environment": "dev"})


def audited(services: Services, count: int) -> tuple[AuditReport, int]:
    """An audit of so many rows, and the most bytes that it held at a time."""
    dev = services.environments["dev"]
    with dev.database.begin() as session:
        names = {"bucket": services.settings.default_bucket, "collection": services.settings.default_collection}
        session.execute(text("DELETE FROM rag_documents"))
        session.execute(text("DELETE FROM stored_files"))
        session.execute(text(ROWS), {"count": count, **names})
    made_up: Any = {"objects": Objects(count), "vectors": Vectors(count)}
    audit = StorageAudit(services.control, replace(dev, **made_up), services.settings, services.clock)
    tracemalloc.start()
    report = audit.run()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return report, most


@pytest.mark.usefixtures("collected_as_usual")
def test_memory_does_not_grow(stores: Stores) -> None:
    audited(stores.services, 100)  # what is loaded once
    _, few = audited(stores.services, 1_500)
    report, many = audited(stores.services, 12_000)
    objects, points = report.stores
    assert (objects.listed.count, points.listed.count, points.listed.points) == (12_000, 12_000, 24_000)
    assert (objects.orphans.count, objects.danglings.count) == (120, 240)
    assert (points.orphans.count, points.danglings.count) == (0, 0)
    assert many < 1.2 * few, (few, many)
    assert many < 20_000_000
