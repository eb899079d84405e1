"""What else keeps words of rows that go: before-images, marks, reviews, labels, and other versions in the stores."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.contents import File, Vectors
from wisqu_pipelines.catalog.models import (
    EnvironmentRow,
    PromotionBeforeImage,
    RagDocument,
    StoredFile,
    TestDataMark,
    UserStorageQuota,
)
from wisqu_pipelines.catalog.points import CHUNK, DOCUMENT_ID, VERSION
from wisqu_pipelines.detection.models import TestDataReview
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.retention.models import Sweep, SweepItem

NEUTRAL = "erased"
"""What stands in the place of a label."""
Conditions = Sequence[tuple[type[EnvironmentRow], ColumnElement[bool]]]
"""Which rows of a type go."""


@dataclass(frozen=True, slots=True)
class Lying:
    """What lies in the stores beside the database."""

    vectors: frozenset[Vectors] = frozenset()
    files: frozenset[File] = frozenset()

    @property
    def is_any(self) -> bool:
        """Whether there is anything."""
        return bool(self.vectors or self.files)

    def __or__(self, other: "Lying") -> "Lying":
        return Lying(self.vectors | other.vectors, self.files | other.files)

    def __sub__(self, other: "Lying") -> "Lying":
        return Lying(self.vectors - other.vectors, self.files - other.files)


def images_of(owner: UUID, conditions: Conditions) -> ColumnElement[bool]:
    """Whether a before-image is one of a row that goes, or of an earlier state of what belonged to the person."""
    image = PromotionBeforeImage.image
    named = str(owner)
    return or_(
        *(
            (PromotionBeforeImage.item_type == str(model.__tablename__))
            & PromotionBeforeImage.target_id.in_(select(model.id).where(condition))
            for model, condition in conditions
            if model in {StoredFile, RagDocument, UserStorageQuota}
        ),
        image["owner_id"].astext == named,
        image["user_id"].astext == named,
    )


def in_images(session: Session, owner: UUID, conditions: Conditions) -> Lying:
    """What before-images of those rows name."""
    vectors, files = set(), set()
    for image in session.scalars(select(PromotionBeforeImage.image).where(images_of(owner, conditions))):
        if image.get("vector_version"):
            vectors.add(Vectors(image["collection"], UUID(image["vector_version"]), image["point_count"]))
        if image.get("object_name"):
            files.add(File(image["bucket"], image["object_name"]))
    return Lying(frozenset(vectors), frozenset(files))


def every_version(
    environment: Environment, documents: Collection[tuple[str, UUID]], files: Collection[tuple[str, UUID]]
) -> Lying:
    """What lies in the stores under the ids of documents and files, whichever version it is and whoever may see it.

    Args:
        environment: Where.
        documents: Collection (base name) and id.
        files: Bucket (base name) and id.
    """
    vectors, names = set(), set()
    for collection, document_id in documents:
        chunks: Counter[UUID] = Counter()
        full = environment.settings.get_collection_name(collection)
        for point in environment.vectors.scroll(full, {DOCUMENT_ID: str(document_id)}):
            version = UUID(str(point.payload[VERSION]))
            chunks[version] = max(chunks[version], int(point.payload.get(CHUNK, 0)) + 1)
        vectors |= {Vectors(collection, version, count) for version, count in chunks.items()}
    for bucket, file_id in files:
        full = environment.settings.get_bucket_name(bucket)
        names |= {File(bucket, each.key) for each in environment.objects.list(full, f"stored_files/{file_id}/")}
    return Lying(frozenset(vectors), frozenset(names))


def forget(session: Session, owner: UUID, conditions: Conditions) -> Mapping[str, int]:
    """Delete before-images, marks and reviews of rows that go, and make labels neutral; while the rows are there.

    Returns:
        How many of each.
    """
    told = {"before_images": 0, "test_data_marks": 0, "test_data_reviews": 0, "labels": 0}
    gone = delete(PromotionBeforeImage).where(images_of(owner, conditions))
    told["before_images"] = len(session.scalars(gone.returning(PromotionBeforeImage.target_id)).all())
    for model, condition in conditions:
        name, ids = str(model.__tablename__), select(model.id).where(condition)
        for table in (TestDataMark, TestDataReview):
            deleted = delete(table).where(table.item_type == name, table.item_id.in_(ids)).returning(table.item_id)
            told[str(table.__tablename__)] += len(session.scalars(deleted).all())
        relabelled = (
            update(SweepItem)
            .where(
                SweepItem.sweep_id.in_(select(Sweep.id)),  # the index of items begins with their sweeps
                SweepItem.item_type == name,
                SweepItem.item_id.in_(ids),
                SweepItem.label != NEUTRAL,
            )
            .values(label=NEUTRAL)
            .returning(SweepItem.item_id)
            .execution_options(synchronize_session=False)
        )
        told["labels"] += len(session.scalars(relabelled).all())
    return told
