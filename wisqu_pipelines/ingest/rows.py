"""A document's rows: what stands there, and the one transaction that makes a new content stand there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.sweeping import hold_off_sweeps
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import BadInput, ItemRefused
from wisqu_pipelines.ingest.documents import Document
from wisqu_pipelines.ingest.names import PURPOSE, DocumentNames
from wisqu_pipelines.ingest.report import Outcome
from wisqu_pipelines.ports.clock import Clock

ACTION = "ingest"
"""`developer_actions.action` of an ingested document."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rows say of a document before it is ingested."""

    version: UUID
    bucket: str
    object_name: str
    collection: str
    point_count: int
    is_deleted: bool
    is_held: bool
    """Whether a running promotion holds it."""


@dataclass(frozen=True, slots=True)
class NewContent:
    """What the rows will say."""

    document: Document
    version: UUID
    sha256: str
    object_name: str
    size: int
    point_count: int
    file_reason: str | None
    """Why the file looks like test data; None: it looks real."""
    document_reason: str | None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an ingest's documents go, and who puts them there."""

    environment: str
    bucket: str
    collection: str
    embedding: str
    owner_id: UUID | None
    ingested_by: UUID | None


@contextmanager
def locked(database: Database, names: DocumentNames) -> Iterator[None]:
    """Let nobody else ingest the document meanwhile, and nothing be swept that it takes up again. The locks go with
    their transaction, however that ends.
    """
    with database.begin() as session:
        hold_off_sweeps(session)
        session.execute(select(func.pg_advisory_xact_lock(names.lock)))
        yield


def standing(session: Session, names: DocumentNames) -> Standing | None:
    """What is there under the document's name, or None.

    Raises:
        BadInput: a row that ingest did not write has the name; it came by promotion, or from the application.
    """
    return _standing(*_rows(session, names))


def require_replaceable(names: DocumentNames, standing: Standing, placement: Placement) -> None:
    """Make sure that the content can be replaced where it is.

    Raises:
        ItemRefused: a running promotion holds the document, or it lies in another bucket or collection.
    """
    reason = None
    if standing.is_held:
        reason = "a running promotion holds it"
    elif (standing.bucket, standing.collection) != (placement.bucket, placement.collection):
        reason = f"it lies in bucket {standing.bucket} and collection {standing.collection}"
    if reason is not None:
        raise ItemRefused(
            type=RagDocument.__tablename__,
            item_id=f"{names.document_id} ({names.filename})",
            environment=placement.environment,
            act="replaced",
            reason=reason,
        )


def write(
    session: Session,
    names: DocumentNames,
    expected: Standing | None,
    new: NewContent,
    placement: Placement,
    clock: Clock,
) -> Outcome:
    """Make the rows name the new content, and record who did it. New content is a draft: nobody has approved it.

    Raises:
        ItemRefused: it cannot be replaced (`require_replaceable`).
        BadInput: another row has its name, or somebody changed it since `expected` was read.
    """
    file, document = _rows(session, names, lock=True)
    now = _standing(file, document)
    if now is not None:
        require_replaceable(names, now, placement)
    if now != expected:
        raise BadInput(what=f"the file '{names.filename}'", reason="somebody else changed its document meanwhile")
    outcome = Outcome.CREATED if document is None else Outcome.UPDATED
    file, document = file or StoredFile(id=names.file_id), document or RagDocument(id=names.document_id)
    file.filename, file.purpose = names.filename, PURPOSE
    file.bucket, file.object_name = placement.bucket, new.object_name
    file.content_type, file.file_size_bytes, file.checksum_sha256 = new.document.content_type, new.size, new.sha256
    file.owner_id = placement.owner_id or file.owner_id
    document.file_id, document.title, document.language = names.file_id, new.document.title, new.document.language
    document.collection, document.embedding = placement.collection, placement.embedding
    document.vector_version, document.point_count = new.version, new.point_count
    for row, reason in ((file, new.file_reason), (document, new.document_reason)):
        row.restore()
        if not row.test_data_by_person:
            row.is_test_data, row.test_data_reason = reason is not None, reason
        row.is_promotable, row.promotion_status = False, PromotionStatus.DRAFT
        session.add(row)
        session.flush()  # in this order: the document's foreign key names the file
    append(session, _audit_row(names, outcome, new, placement, clock))
    return outcome


def _rows(
    session: Session, names: DocumentNames, *, lock: bool = False
) -> tuple[StoredFile | None, RagDocument | None]:
    file = session.get(StoredFile, names.file_id, with_for_update=True if lock else None)
    document = session.get(RagDocument, names.document_id, with_for_update=True if lock else None)
    if file is None or file.is_deleted:
        _require_name_free(session, names)
    return file, document


def _standing(file: StoredFile | None, document: RagDocument | None) -> Standing | None:
    if file is None or document is None:
        return None
    return Standing(
        version=document.vector_version,
        bucket=file.bucket,
        object_name=file.object_name,
        collection=document.collection,
        point_count=document.point_count,
        is_deleted=document.is_deleted or file.is_deleted,
        is_held=PromotionStatus.PROMOTING in {document.promotion_status, file.promotion_status},
    )


def _require_name_free(session: Session, names: DocumentNames) -> None:
    """Rows that came by promotion, or from the application, have ids of their own."""
    other = session.scalar(
        select(StoredFile)
        .where(StoredFile.filename == names.filename, StoredFile.purpose == PURPOSE, StoredFile.id != names.file_id)
        .where(StoredFile.is_deleted.is_(False))
        .limit(1)
    )
    if other is not None:
        origin = f"came by promotion from {other.source_environment}" if other.source_id else "ingest did not write"
        raise BadInput(
            what=f"the filename '{names.filename}'", reason=f"stored_files {other.id} has it already, which {origin}"
        )


def _audit_row(
    names: DocumentNames, outcome: Outcome, new: NewContent, placement: Placement, clock: Clock
) -> DeveloperAction:
    return DeveloperAction(
        developer_id=placement.ingested_by,
        environment=placement.environment,
        action=ACTION,
        details={
            "filename": names.filename,
            "outcome": outcome.value,
            "file_id": str(names.file_id),
            "document_id": str(names.document_id),
            "sha256": new.sha256,
            "bytes": new.size,
            "points": new.point_count,
        },
        occurred_at=clock.now(),
    )
