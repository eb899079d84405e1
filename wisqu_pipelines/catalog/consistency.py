"""Whether an environment's stores agree: every visible row has its file and its vectors, and nothing else lies about.

These are the invariants that hold whenever no promotion or rollback is running towards the environment.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from wisqu_pipelines.audit.models import EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import DOCUMENT_ID, ENVIRONMENT, VERSION, staged
from wisqu_pipelines.environments.markers import MARKER_OBJECT
from wisqu_pipelines.environments.stores import Environment

SHOWN_FINDINGS = 50
"""How many findings are described; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be."""

    what: str
    """The row, object or point set."""
    problem: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a comparison found."""

    checked: int
    """How many rows, objects and point sets were looked at."""
    findings: tuple[Finding, ...]
    """The first `SHOWN_FINDINGS`."""
    count: int
    """How many findings there are in all."""

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return self.count == 0


def rows_have_files(environment: Environment) -> Agreement:
    """Compare each visible row of `stored_files` with its object: it must be there, with the row's size.

    Keeps the keys and sizes of one bucket in memory at a time.
    """
    tally = _Tally()
    with environment.database.snapshot() as session:
        buckets = session.scalars(
            select(StoredFile.bucket).where(StoredFile.is_deleted.is_(False)).distinct().order_by(StoredFile.bucket)
        ).all()
        for base in buckets:
            sizes = _object_sizes(environment, base)
            query = select(StoredFile.id, StoredFile.object_name, StoredFile.file_size_bytes).where(
                StoredFile.bucket == base, StoredFile.is_deleted.is_(False)
            )
            for row_id, key, size in session.execute(query.execution_options(yield_per=1_000)):
                tally.checked += 1
                if key not in sizes:
                    tally.add(f"stored_files {row_id}", f"its object {key} is not there")
                elif sizes[key] != size:
                    tally.add(f"stored_files {row_id}", f"its object has {sizes[key]} bytes, and the row says {size}")
    return tally.result()


def documents_have_points(environment: Environment) -> Agreement:
    """Compare each visible row of `rag_documents` with its points: readers find as many, and no others."""
    tally = _Tally()
    belonging: dict[str, int] = {}
    with environment.database.snapshot() as session:
        query = select(
            RagDocument.id,
            RagDocument.collection,
            RagDocument.vector_version,
            RagDocument.point_count,
            RagDocument.is_deleted,
        )
        documents = session.execute(query).all()
    for document_id, base, version, count, is_deleted in documents:
        match = {DOCUMENT_ID: str(document_id), VERSION: str(version), ENVIRONMENT: environment.name}
        found = environment.vectors.count(environment.settings.get_collection_name(base), match)
        belonging[base] = belonging.get(base, 0) + found
        if is_deleted:
            continue
        tally.checked += 1
        if found != count:
            tally.add(f"rag_documents {document_id}", f"readers find {found} of its {count} points")
    for base, points in sorted(belonging.items()):
        name = environment.settings.get_collection_name(base)
        stray = environment.vectors.count(name, {ENVIRONMENT: environment.name}) - points
        if stray > 0:
            tally.add(f"collection {name}", f"readers find {stray} points that belong to no row")
    return tally.result()


def nothing_left_over(environment: Environment, buckets: Iterable[str], collections: Iterable[str]) -> Agreement:
    """Look for objects and hidden points that belong to no row and that no rollback would need.

    Args:
        environment: Where to look.
        buckets: The base names of its buckets.
        collections: The base names of its collections.
    """
    tally = _Tally()
    with environment.database.snapshot() as session:
        kept_names, kept_versions = _kept_for_rollback(session)
        for base in buckets:
            owned = set(session.scalars(select(StoredFile.object_name).where(StoredFile.bucket == base)))
            owned |= kept_names | {MARKER_OBJECT}
            for key in _object_sizes(environment, base):
                tally.checked += 1
                if key not in owned:
                    tally.add(f"object {key}", "it belongs to no row")
        versions = {str(version) for version in session.scalars(select(RagDocument.vector_version))} | kept_versions
    for base in collections:
        name = environment.settings.get_collection_name(base)
        if environment.vectors.describe(name) is None:
            continue
        hidden: dict[tuple[str, str], int] = {}
        for point in environment.vectors.scroll(name, {ENVIRONMENT: staged(environment.name)}):
            of = (str(point.payload.get(DOCUMENT_ID)), str(point.payload.get(VERSION)))
            hidden[of] = hidden.get(of, 0) + 1
        for (document_id, version), count in hidden.items():
            tally.checked += 1
            if version not in versions:
                tally.add(f"points of document {document_id}", f"{count} hidden points belong to no row")
    return tally.result()


class _Tally:
    """Counts what was looked at and keeps the first findings."""

    def __init__(self) -> None:
        self.checked = 0
        self._count = 0
        self._findings: list[Finding] = []

    def add(self, what: str, problem: str) -> None:
        self._count += 1
        if len(self._findings) < SHOWN_FINDINGS:
            self._findings.append(Finding(what, problem))

    def result(self) -> Agreement:
        return Agreement(self.checked, tuple(self._findings), self._count)


def _object_sizes(environment: Environment, base: str) -> dict[str, int]:
    bucket = environment.settings.get_bucket_name(base)
    if not environment.objects.bucket_exists(bucket):
        return {}
    return {info.key: info.size for info in environment.objects.list(bucket)}


def _kept_for_rollback(session: Session) -> tuple[set[str], set[str]]:
    """The object names and point versions in the before-images of receipts that were not rolled back."""
    later = aliased(EnvironmentPromotion)
    undone = exists().where(
        later.promotion_id == EnvironmentPromotion.promotion_id, later.status == ReceiptStatus.ROLLED_BACK
    )
    query = select(EnvironmentPromotion.rollback_data).where(
        EnvironmentPromotion.status == ReceiptStatus.SUCCESS, EnvironmentPromotion.rollback_data.is_not(None), ~undone
    )
    names: set[str] = set()
    versions: set[str] = set()
    for data in session.scalars(query):
        for image in _images(data):
            names.update(value for value in (image.get("object_name"),) if value)
            versions.update(str(value) for value in (image.get("vector_version"),) if value)
    return names, versions


def _images(data: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping inside of a receipt's rollback data; the rows' before-images are among them."""
    if isinstance(data, Mapping):
        yield data
        data = list(data.values())
    if isinstance(data, list):
        for each in data:
            yield from _images(each)
