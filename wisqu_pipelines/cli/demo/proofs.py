"""The demo's proofs: read from the stores themselves, by none of the code that promotes."""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ports.hashing import sha256_of
from wisqu_pipelines.settings import Settings

SAME_VECTOR = 1e-5
"""How far two stored numbers may be apart."""


@dataclass(frozen=True)
class Parity:
    """What was compared between two environments, and what differs."""

    documents: int
    bytes: int
    points: int
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether something was compared and nothing differs."""
        return self.documents > 0 and not self.differences


def parity(source: Environment, target: Environment) -> Parity:
    """Compare each document that came from `source` with what it came from: row, bytes, points."""
    with target.database.snapshot() as session:
        pairs = session.execute(
            select(RagDocument, StoredFile)
            .join(StoredFile, StoredFile.id == RagDocument.file_id)
            .where(RagDocument.source_environment == source.name, ~RagDocument.is_deleted)
        ).all()
    differences: list[str] = []
    size = points = 0
    with source.database.snapshot() as session:
        for document, file in pairs:
            origin = session.get(RagDocument, document.source_id)
            origin_file = session.get(StoredFile, file.source_id)
            if origin is None or origin_file is None or origin.file_id != origin_file.id:
                differences.append(f"{document.title}: its source is gone")
                continue
            if (origin.title, origin_file.filename) != (document.title, file.filename):
                differences.append(f"{document.title}: the rows differ")
            if not (_bytes(source, origin_file) == _bytes(target, file) == file.checksum_sha256):
                differences.append(f"{document.title}: the bytes differ")
            if not _same_points(source, origin, target, document):
                differences.append(f"{document.title}: the points differ")
            size += file.file_size_bytes
            points += document.point_count
    return Parity(len(pairs), size, points, tuple(differences))


def fingerprint(environment: Environment, settings: Settings) -> str:
    """SHA-256 over all that an environment holds: every column of its files and documents, every object's bytes, every
    point.
    """
    hashed = hashlib.sha256()
    with environment.database.snapshot() as session:
        for model in (StoredFile, RagDocument):
            columns = sorted(model.__table__.columns.keys())
            for row in session.scalars(select(model).order_by(model.id)):
                hashed.update(repr([(column, getattr(row, column)) for column in columns]).encode())
    for base in settings.buckets:
        bucket = environment.settings.get_bucket_name(base)
        for found in environment.objects.list(bucket):
            with environment.objects.read(bucket, found.key) as chunks:
                hashed.update(f"{found.key} {sha256_of(chunks)}".encode())
    for base in settings.collections:
        collection = environment.settings.get_collection_name(base)
        for point in environment.vectors.scroll(collection, {}, vectors=True):
            vector = [round(number, 5) for number in point.vector]
            hashed.update(repr((point.id, sorted(point.payload.items()), vector)).encode())
    return hashed.hexdigest()


def _bytes(environment: Environment, file: StoredFile) -> str:
    with environment.objects.read(environment.settings.get_bucket_name(file.bucket), file.object_name) as chunks:
        return sha256_of(chunks)


def _same_points(source: Environment, origin: RagDocument, target: Environment, document: RagDocument) -> bool:
    here = _points(source, origin)
    there = _points(target, document)
    return len(here) == len(there) == document.point_count and all(
        text == other_text
        and environment == target.name
        and all(abs(one - other) <= SAME_VECTOR for one, other in zip(vector, other_vector, strict=True))
        for (text, _, vector), (other_text, environment, other_vector) in zip(here, there, strict=True)
    )


def _points(environment: Environment, row: RagDocument) -> list[tuple[Any, Any, list[float]]]:
    ids = point_ids(row.vector_version, row.point_count)
    found = environment.vectors.retrieve(environment.settings.get_collection_name(row.collection), ids)
    return [
        (found[id_].payload.get("text"), found[id_].payload.get("environment"), list(found[id_].vector))
        for id_ in ids
        if id_ in found
    ]
