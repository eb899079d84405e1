"""Retention as it is usually written: one item after the other, by ORM, `minio` and `qdrant-client`.

It says nothing beforehand, hides nothing first, respects no hold, and what it breaks off in the middle stays broken.
"""

from datetime import datetime
from uuid import UUID

from minio import Minio
from qdrant_client import QdrantClient, models
from sqlalchemy import select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.settings import EnvironmentSettings

AT_ONCE = 1_000
"""Rows that the loop reads at once."""


def purge(environment: EnvironmentSettings, ids: list[UUID], session: Session) -> None:
    """Delete documents with their points and files."""
    store, index = environment.object_store, environment.vector_index
    files = Minio(
        store.endpoint,
        store.access_key,
        store.secret_key.get_secret_value(),
        secure=store.secure,
        region=store.region,
    )
    points = QdrantClient(
        url=index.url, headers={"api-key": index.api_key.get_secret_value()}, check_compatibility=False
    )
    for id_ in ids:
        document = session.get_one(RagDocument, id_)
        file = session.get_one(StoredFile, document.file_id)
        found: list[models.ExtendedPointId] = [
            str(each) for each in point_ids(document.vector_version, document.point_count)
        ]
        points.delete(environment.get_collection_name(document.collection), found, wait=True)
        files.remove_object(environment.get_bucket_name(file.bucket), file.object_name)
        session.delete(document)
        session.flush()
        session.delete(file)
        session.commit()


def hide(before: datetime, now: datetime, session: Session) -> int:
    """Hide files of test data that are older than that; returns how many."""
    old = select(StoredFile).where(StoredFile.is_test_data, ~StoredFile.is_deleted, StoredFile.created_at < before)
    count = 0
    for file in session.scalars(old.execution_options(yield_per=AT_ONCE)):
        file.is_deleted, file.deleted_at = True, now
        count += 1
    session.commit()
    return count
