"""A document's object and points: put in unseen, shown, and taken away again."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from wisqu_pipelines.catalog import points
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import ObjectExists
from wisqu_pipelines.ingest.documents import Document
from wisqu_pipelines.ingest.files import Contents
from wisqu_pipelines.ingest.names import DocumentNames
from wisqu_pipelines.ports.embedding import Embedder
from wisqu_pipelines.ports.hashing import sha256_of
from wisqu_pipelines.ports.vectors import Point

POINTS_AT_ONCE = 256
"""Points that are embedded and written at a time; bounds memory."""
IDS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Version:
    """One content of a document, as it lies in the stores."""

    names: DocumentNames
    id: UUID
    """`rag_documents.vector_version`."""
    key: str
    """`stored_files.object_name`."""


class DocumentStores:
    """The bucket and the collection that an environment's documents lie in."""

    def __init__(self, environment: Environment, bucket: str, collection: str, embedder: Embedder) -> None:
        """Use the bucket and the collection of those base names."""
        self._environment = environment
        self._bucket = environment.settings.get_bucket_name(bucket)
        self._collection = environment.settings.get_collection_name(collection)
        self._embedder = embedder

    def stage_object(self, version: Version, contents: Contents, content_type: str) -> None:
        """Write the bytes under the version's key, unless an interrupted ingest has left them there."""
        objects = self._environment.objects
        for attempt in ("first", "last"):
            contents.file.seek(0)
            try:
                objects.put(
                    self._bucket,
                    version.key,
                    contents.file,
                    contents.size,
                    content_type=content_type,
                    metadata={"filename": version.names.filename},
                    create_only=True,
                )
            except ObjectExists:
                if self._holds(version, contents.sha256):
                    return
                if attempt == "last":
                    raise
                objects.delete(self._bucket, [version.key])  # other bytes than its key says, and no row names it
            else:
                return

    def stage_points(self, version: Version, document: Document, chunks: Sequence[str]) -> None:
        """Write the version's points under ids of their own, so that no reader finds them."""
        for start in range(0, len(chunks), POINTS_AT_ONCE):
            batch = chunks[start : start + POINTS_AT_ONCE]
            # A chunk out of the middle of a licence says nothing of whose licence it is; the title does.
            vectors = self._embedder.embed([f"{document.title}\n{chunk}" for chunk in batch])
            self._environment.vectors.upsert(
                self._collection,
                [
                    Point(points.point_id(version.id, number), vector, self._payload(version, document, number, chunk))
                    for number, (chunk, vector) in enumerate(zip(batch, vectors, strict=True), start)
                ],
            )

    def is_whole(self, version: Version, point_count: int) -> bool:
        """Whether the version's object and all its points are there, seen or unseen."""
        stored = self._environment.objects.stat(self._bucket, version.key)
        return stored is not None and self._count(version) == point_count

    def is_settled(self, version: Version, point_count: int) -> bool:
        """Whether the version's object and all its points are there, readers find them, and nothing else is left."""
        visible = self._count(version, **{points.ENVIRONMENT: self._environment.name})
        return visible == point_count == self._count_all(version.names) and self._keys(version.names) == [version.key]

    def reveal(self, version: Version, point_count: int) -> None:
        """Let readers find the version's points."""
        self._mark(points.point_ids(version.id, point_count), self._environment.name)

    def sweep(self, names: DocumentNames, keep: Version | None, point_count: int) -> None:
        """Take away every object and point of the document but those of the version to keep: what it replaced, and
        what interrupted ingests left. Points are hidden before they are deleted.
        """
        vectors, objects = self._environment.vectors, self._environment.objects
        if self._count_all(names) != point_count:
            kept = str(keep.id) if keep else None
            others = [
                point.id
                for point in vectors.scroll(self._collection, {points.DOCUMENT_ID: str(names.document_id)})
                if point.payload.get(points.VERSION) != kept
            ]
            self._mark(others, points.staged(self._environment.name))
            for start in range(0, len(others), IDS_AT_ONCE):
                vectors.delete(self._collection, others[start : start + IDS_AT_ONCE])
        if keys := [key for key in self._keys(names) if keep is None or key != keep.key]:
            objects.delete(self._bucket, keys)

    def _payload(self, version: Version, document: Document, chunk: int, text: str) -> dict[str, str | int]:
        payload: dict[str, str | int] = {
            points.DOCUMENT_ID: str(version.names.document_id),
            points.VERSION: str(version.id),
            points.CHUNK: chunk,
            points.ENVIRONMENT: points.staged(self._environment.name),
            points.TEXT: text,
            points.TITLE: document.title,
            points.FILENAME: version.names.filename,
        }
        return payload | ({points.LANGUAGE: document.language} if document.language else {})

    def _count(self, version: Version, **match: str) -> int:
        return self._environment.vectors.count(self._collection, {points.VERSION: str(version.id), **match})

    def _count_all(self, names: DocumentNames) -> int:
        return self._environment.vectors.count(self._collection, {points.DOCUMENT_ID: str(names.document_id)})

    def _keys(self, names: DocumentNames) -> list[str]:
        return [each.key for each in self._environment.objects.list(self._bucket, names.prefix)]

    def _mark(self, ids: Sequence[UUID], value: str) -> None:
        for start in range(0, len(ids), IDS_AT_ONCE):
            self._environment.vectors.set_payload(
                self._collection, ids[start : start + IDS_AT_ONCE], {points.ENVIRONMENT: value}
            )

    def _holds(self, version: Version, sha256: str) -> bool:
        with self._environment.objects.read(self._bucket, version.key) as parts:
            return sha256_of(parts) == sha256
