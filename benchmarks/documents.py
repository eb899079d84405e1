"""Documents to promote: a row of a file and one of a document, a file of 20 kB, eight points of 384 numbers."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import numpy as np

from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.identity import demo_people, people
from wisqu_pipelines.ports.vectors import Point

POINTS, DIMENSION, SIZE = 8, 384, 20_000


def make(services: Services, count: int) -> list[UUID]:
    """Fresh approved documents in dev; returns their ids."""
    dev = services.environments["dev"]
    bucket = services.settings.default_bucket
    random = np.random.default_rng(count)
    files = [_file(bucket, number) for number in range(count)]
    documents = [_document(services, file, number) for number, file in enumerate(files)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda file: _put(services, file), files))
    points = []
    for document in documents:
        numbers = random.normal(size=(POINTS, DIMENSION)).astype("float32")
        payload = {"document_id": str(document.id), "version": str(document.vector_version), "environment": "dev"}
        points += [
            Point(id_, numbers[chunk].tolist(), {**payload, "chunk": chunk, "text": f"chunk {chunk} of {document.id}"})
            for chunk, id_ in enumerate(point_ids(document.vector_version, POINTS))
        ]
    dev.vectors.upsert(dev.settings.get_collection_name(services.settings.default_collection), points)
    with dev.database.begin() as session:
        session.add_all(files)
        session.flush()
        session.add_all(documents)
    return [document.id for document in documents]


def approved(services: Services, kind: str, source: str, target: str, ids: list[UUID] | None) -> UUID:
    """A promotion that is planned and approved."""
    with services.control.begin() as session:
        person = people.find(session, demo_people.DEVELOPER).id
    planned = services.promotions.preview_promotion(kind, source, target, ids, requested_by_user_id=person)
    services.approvals.grant(planned.promotion_id, demo_people.ADMIN)
    return planned.promotion_id


def _file(bucket: str, number: int) -> StoredFile:
    data = _data(number)
    return StoredFile(
        id=uuid4(),
        filename=f"bench/{number}.txt",
        bucket=bucket,
        object_name=f"stored_files/{uuid4()}",
        content_type="text/plain",
        file_size_bytes=len(data),
        checksum_sha256=hashlib.sha256(data).hexdigest(),
    )


def _document(services: Services, file: StoredFile, number: int) -> RagDocument:
    return RagDocument(
        id=uuid4(),
        file_id=file.id,
        title=f"bench {number}",
        collection=services.settings.default_collection,
        vector_version=uuid4(),
        point_count=POINTS,
        embedding="bench",
        is_promotable=True,
        promotion_status="approved",
    )


def _put(services: Services, file: StoredFile) -> None:
    dev = services.environments["dev"]
    data = _data(int(file.filename.removeprefix("bench/").removesuffix(".txt")))
    dev.objects.put(dev.settings.get_bucket_name(file.bucket), file.object_name, io.BytesIO(data), len(data))


def _data(number: int) -> bytes:
    return (f"{number:08} ".encode() * (SIZE // 9 + 1))[:SIZE]
