"""The loop that most teams would write: one item after the other, by ORM, `minio` and `qdrant-client`.

It plans nothing, verifies nothing, journals nothing and cannot be taken back.
"""

from uuid import UUID, uuid4

from minio import Minio
from minio.commonconfig import CopySource
from qdrant_client import QdrantClient, models
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.settings import Settings


def promote(settings: Settings, source: str, target: str, ids: list[UUID], here: Session, there: Session) -> None:
    """Copy documents with their files and points from one environment to the other."""
    one, other = settings.environment(source), settings.environment(target)
    path = settings.path(source, target)
    assert path.transfer is not None
    files = Minio(
        other.object_store.endpoint,
        path.transfer.access_key,
        path.transfer.secret_key.get_secret_value(),
        secure=other.object_store.secure,
        region=other.object_store.region,
    )
    points_here, points_there = (
        QdrantClient(
            url=each.vector_index.url,
            headers={"api-key": each.vector_index.api_key.get_secret_value()},
            check_compatibility=False,
        )
        for each in (one, other)
    )
    for id_ in ids:
        document = here.get_one(RagDocument, id_)
        file = here.get_one(StoredFile, document.file_id)
        copy = StoredFile(
            filename=file.filename,
            bucket=file.bucket,
            object_name=f"promoted/{uuid4()}",
            content_type=file.content_type,
            file_size_bytes=file.file_size_bytes,
            checksum_sha256=file.checksum_sha256,
            source_id=file.id,
            source_environment=source,
        )
        there.add(copy)
        there.flush()
        bucket = CopySource(one.get_bucket_name(file.bucket), file.object_name)
        files.copy_object(other.get_bucket_name(file.bucket), copy.object_name, bucket)
        version = uuid4()
        twin = RagDocument(
            file_id=copy.id,
            title=document.title,
            collection=document.collection,
            vector_version=version,
            point_count=document.point_count,
            embedding=document.embedding,
            source_id=document.id,
            source_environment=source,
        )
        there.add(twin)
        there.commit()
        found = points_here.retrieve(
            one.get_collection_name(document.collection),
            [str(each) for each in point_ids(document.vector_version, document.point_count)],
            with_payload=True,
            with_vectors=True,
        )
        structs = [
            models.PointStruct(
                id=str(uuid4()),
                vector=point.vector,
                payload={**(point.payload or {}), "environment": target, "document_id": str(twin.id)},
            )
            for point in found
        ]
        points_there.upsert(other.get_collection_name(document.collection), structs, wait=True)
        document.promotion_status = "promoted"
        here.commit()
