"""A small world for promotion tests: documents with files and vectors on real stores, and what all of it is now."""

import hashlib
import io
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select, update

from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.identity import demo_people, people
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.promotion.results import PromotionResult
from wisqu_pipelines.promotion.types import TYPES


@dataclass
class World:
    """Services on real stores, with shorthands."""

    services: Services

    def environment(self, name: str) -> Environment:
        return self.services.environments[name]

    def person(self, email: str = demo_people.DEVELOPER) -> UUID:
        with self.services.control.begin() as session:
            return people.find(session, email).id

    def document(self, name: str = "guide.md", text: str = "How to pray", *, env: str = "dev", chunks: int = 3) -> UUID:
        """An approved document with its file and vectors; returns the rag_document's id."""
        environment = self.environment(env)
        file_id, document_id = uuid4(), uuid4()
        data = text.encode()
        row = StoredFile(
            id=file_id,
            filename=name,
            bucket=self.services.settings.default_bucket,
            object_name=f"stored_files/{file_id}/1/{uuid4()}",
            content_type="text/markdown",
            file_size_bytes=len(data),
            checksum_sha256=hashlib.sha256(data).hexdigest(),
        )
        self._put(environment, row, data)
        version = uuid4()
        document = RagDocument(
            id=document_id,
            file_id=file_id,
            title=name,
            collection=self.services.settings.default_collection,
            vector_version=version,
            point_count=chunks,
            embedding="test",
            is_promotable=True,
            promotion_status="approved",
        )
        self._upsert(environment, document, text)
        with environment.database.begin() as session:
            session.add(row)
            session.flush()
            session.add(document)
        return document_id

    def edit(self, document_id: UUID, text: str, *, env: str = "dev", chunks: int = 4) -> None:
        """New content for a document: new object, new points, row swapped, approved again."""
        environment = self.environment(env)
        data = text.encode()
        with environment.database.begin() as session:
            document = session.get_one(RagDocument, document_id)
            file = session.get_one(StoredFile, document.file_id)
            file.object_name = f"stored_files/{file.id}/2/{uuid4()}"
            file.file_size_bytes = len(data)
            file.checksum_sha256 = hashlib.sha256(data).hexdigest()
            self._put(environment, file, data)
            document.vector_version = uuid4()
            document.point_count = chunks
            self._upsert(environment, document, text)
            document.is_promotable = True
            document.promotion_status = "approved"

    def change(self, document_id: UUID, env: str, **columns: Any) -> None:
        with self.environment(env).database.begin() as session:
            session.execute(update(RagDocument).where(RagDocument.id == document_id).values(**columns))

    def row(self, document_id: UUID, env: str = "dev") -> RagDocument:
        with self.environment(env).database.begin() as session:
            return session.get_one(RagDocument, document_id)

    def file_of(self, document_id: UUID, env: str = "dev") -> StoredFile:
        with self.environment(env).database.begin() as session:
            return session.get_one(StoredFile, session.get_one(RagDocument, document_id).file_id)

    def remove_file(self, document_id: UUID, env: str = "dev") -> None:
        row = self.file_of(document_id, env)
        self.environment(env).objects.delete(
            self.environment(env).settings.get_bucket_name(row.bucket), [row.object_name]
        )

    def remove_rows(self, env: str) -> None:
        with self.environment(env).database.begin() as session:
            session.execute(delete(RagDocument))
            session.execute(delete(StoredFile))

    def state(self, env: str) -> dict[str, Any]:
        """Everything an environment's reader and its stores have: rows, objects with bytes, points with payload."""
        environment = self.environment(env)
        rows = {}
        with environment.database.snapshot() as session:
            for name, kind in TYPES.items():
                rows[name] = {str(row.id): dict(row._mapping) for row in session.execute(select(kind.table))}
        bucket = environment.settings.get_bucket_name(self.services.settings.default_bucket)
        objects = {}
        for found in environment.objects.list(bucket, "stored_files/"):
            with environment.objects.read(bucket, found.key) as parts:
                objects[found.key] = hashlib.sha256(b"".join(parts)).hexdigest()
        collection = environment.settings.get_collection_name(self.services.settings.default_collection)
        points = {
            str(point.id): (dict(point.payload), [round(number, 5) for number in point.vector])
            for point in environment.vectors.scroll(collection, {}, vectors=True)
        }
        return {"rows": rows, "objects": objects, "points": points}

    def visible_points(self, env: str) -> int:
        environment = self.environment(env)
        collection = environment.settings.get_collection_name(self.services.settings.default_collection)
        return environment.vectors.count(collection, {"environment": env})

    def _put(self, environment: Environment, row: StoredFile, data: bytes) -> None:
        bucket = environment.settings.get_bucket_name(row.bucket)
        environment.objects.put(
            bucket,
            row.object_name,
            io.BytesIO(data),
            len(data),
            content_type="text/markdown",
            metadata={"filename": row.filename},
        )

    def _upsert(self, environment: Environment, row: RagDocument, text: str) -> None:
        ids = point_ids(row.vector_version, row.point_count)
        texts = [f"{text} ({chunk})" for chunk in range(row.point_count)]
        vectors = self.services.embedder.embed(texts)
        collection = environment.settings.get_collection_name(row.collection)
        points = [
            Point(
                id_,
                vector,
                {
                    "document_id": str(row.id),
                    "version": str(row.vector_version),
                    "chunk": chunk,
                    "environment": environment.name,
                    "text": texts[chunk],
                    "title": row.title,
                },
            )
            for chunk, (id_, vector) in enumerate(zip(ids, vectors, strict=True))
        ]
        environment.vectors.upsert(collection, points)

    def promote(
        self, *ids: UUID, source: str = "dev", target: str = "stage", by: tuple[str, ...] = (demo_people.ADMIN,)
    ) -> PromotionResult:
        """Preview as the developer, approve, execute."""
        promotions = self.services.promotions
        planned = promotions.preview_promotion(
            RagDocument, source, target, list(ids) or None, requested_by_user_id=self.person()
        )
        for person in by:
            self.services.approvals.grant(planned.promotion_id, person)
        return promotions.execute(planned.promotion_id, run_id="test")

    def twin(self, source_id: UUID, env: str = "stage") -> UUID:
        """The id of a document's twin."""
        with self.environment(env).database.begin() as session:
            return session.scalars(select(RagDocument.id).where(RagDocument.source_id == source_id)).one()
