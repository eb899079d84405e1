"""Ingest: files into one environment, each of them wholly or not at all.

A document's object and points are put where nobody sees them, one transaction writes its rows, and then its points are
shown. All ids follow from the environment, the name and the bytes. So whatever an ingest leaves behind when it ends
halfway, the next one finds it, uses what fits and takes the rest away.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from uuid import UUID

from wisqu_pipelines.catalog.cached import cached_item, cached_searches
from wisqu_pipelines.catalog.models import EnvironmentRow, RagDocument, StoredFile, User
from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.detection.reading import CHUNK_TEXT, facts_of
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadInput, CollectionMismatch, CollectionMissing, ItemNotFound, ItemRefused
from wisqu_pipelines.ingest import rows
from wisqu_pipelines.ingest.chunking import MAX_CHUNKS, chunks
from wisqu_pipelines.ingest.extract import extract
from wisqu_pipelines.ingest.files import Contents, SourceFile, contents, find
from wisqu_pipelines.ingest.names import DocumentNames
from wisqu_pipelines.ingest.report import IngestedFile, IngestReport, Outcome
from wisqu_pipelines.ingest.rows import NewContent, Placement, Standing
from wisqu_pipelines.ingest.stores import DocumentStores, Version
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.embedding import Embedder
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.settings import Settings

WORKERS = 4
"""Documents at a time. Each holds two database connections, and a database's pool has twelve."""
STEP = "ingest"
"""What progress is told."""


class IngestService:
    """Puts documents into one environment."""

    def __init__(
        self, environment: Environment, settings: Settings, embedder: Embedder, judge: TextJudge, clock: Clock
    ) -> None:
        """Use the settings' default bucket and collection; what `judge` takes for test data is marked on the way in."""
        self._environment = environment
        self._settings = settings
        self._embedder = embedder
        self._judge = judge
        self._clock = clock
        self._stores = DocumentStores(environment, settings.default_bucket, settings.default_collection, embedder)

    def ingest(
        self,
        paths: Iterable[Path],
        *,
        owner_id: UUID | None = None,
        ingested_by: UUID | None = None,
        progress: Progress = no_progress,
    ) -> IngestReport:
        """Put files, and the files below folders, into the environment.

        The same bytes under the same name change nothing; other bytes replace what is there. A file that is refused is
        named in the report, and the others go on.

        Args:
            paths: files and folders.
            owner_id: the user of the environment whose files they are.
            ingested_by: the person who does it, for the audit.
            progress: is told after each file.

        Raises:
            BadInput: a given path is not there or its name is not accepted; nothing was changed.
            ItemNotFound: the environment has no such owner; nothing was changed.
            CollectionMissing: the environment's collection is not set up; nothing was changed.
            CollectionMismatch: the collection does not take the embedder's vectors; nothing was changed.
            StoreUnavailable: a store went away. What was ingested stays, and the same ingest run again does the rest.
        """
        sources = find(paths)
        self._require_stores(owner_id)
        placement = Placement(
            environment=self._environment.name,
            bucket=self._settings.default_bucket,
            collection=self._settings.default_collection,
            embedding=self._embedder.name,
            owner_id=owner_id,
            ingested_by=ingested_by,
        )
        try:
            files = self._ingest_all(sources, placement, progress)
        finally:
            self._environment.cache.delete_prefix(cached_searches(self._collection))
        return IngestReport(self._environment.name, tuple(files))

    @property
    def _collection(self) -> str:
        return self._environment.settings.get_collection_name(self._settings.default_collection)

    def _require_stores(self, owner_id: UUID | None) -> None:
        described = self._environment.vectors.describe(self._collection)
        if described is None:
            raise CollectionMissing(collection=self._collection)
        if described.dimension != self._embedder.dimension:
            raise CollectionMismatch(
                collection=self._collection,
                found=f"{described.dimension} dimensions",
                wanted=f"{self._embedder.dimension} for the embedder {self._embedder.name}",
            )
        if owner_id is not None:
            with self._environment.database.begin() as session:
                if session.get(User, owner_id) is None:
                    raise ItemNotFound(type="users", item_id=str(owner_id), environment=self._environment.name)

    def _ingest_all(self, sources: list[SourceFile], placement: Placement, progress: Progress) -> list[IngestedFile]:
        """Some documents at a time; the first one that fails (a refusal is no failure) lets those under way end."""
        results: dict[int, IngestedFile] = {}
        under_way: dict[Future[IngestedFile], int] = {}
        sizes = [0, 0]

        def collect(at_most: int) -> None:
            while len(under_way) > at_most:
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    file = results[under_way.pop(future)] = future.result()
                    sizes[0] += file.bytes
                    sizes[1] += file.points
                    progress(STEP, len(results), len(sources), bytes=sizes[0], points=sizes[1])

        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="ingest")
        try:
            for position, source in enumerate(sources):
                under_way[pool.submit(self._ingest, source, placement)] = position
                collect(at_most=2 * WORKERS)
            collect(at_most=0)
        finally:
            pool.shutdown(cancel_futures=True)
        return [results[position] for position in range(len(sources))]

    def _ingest(self, source: SourceFile, placement: Placement) -> IngestedFile:
        if source.refusal is not None:
            return IngestedFile(source.name, Outcome.REFUSED, source.refusal)
        names = DocumentNames.of(self._environment.name, source.name)
        try:
            with contents(source) as read, rows.locked(self._environment.database, names):
                return self._ingest_locked(names, read, placement)
        except (BadInput, ItemRefused) as error:
            return IngestedFile(source.name, Outcome.REFUSED, str(error))

    def _ingest_locked(self, names: DocumentNames, read: Contents, placement: Placement) -> IngestedFile:
        with self._environment.database.begin() as session:
            standing = rows.standing(session, names)
        version_id = names.version(read.sha256, placement.bucket, placement.collection, placement.embedding)
        version = Version(names, version_id, names.key(version_id, read.sha256))
        if standing is not None and standing.version == version.id and not standing.is_deleted:
            point_count, outcome = standing.point_count, Outcome.UNCHANGED
            if not self._stores.is_settled(version, point_count):
                if not self._stores.is_whole(version, point_count):
                    self._stage(version, read)
                self._settle(version, point_count)
        else:
            if standing is not None:
                rows.require_replaceable(names, standing, placement)
            new = self._stage(version, read)
            point_count, outcome = new.point_count, self._publish(names, standing, new, placement)
            self._settle(version, point_count)
        return IngestedFile(names.filename, outcome, None, names.file_id, names.document_id, read.size, point_count)

    def _stage(self, version: Version, read: Contents) -> NewContent:
        document = extract(read.file, version.names.filename)
        cut = chunks(document.text)
        if len(cut) > MAX_CHUNKS:
            raise BadInput(
                what=f"the file '{version.names.filename}'",
                reason=f"its text makes {len(cut)} chunks, and at most {MAX_CHUNKS} are taken",
            )
        self._stores.stage_object(version, read, document.content_type)
        self._stores.stage_points(version, document, cut)
        words = cut[len(cut) // 2] if cut else None  # the chunk that a scan would read
        return NewContent(
            document,
            version.id,
            read.sha256,
            version.key,
            read.size,
            len(cut),
            file_reason=self._reason(StoredFile, {"filename": version.names.filename, "object_name": version.key}),
            document_reason=self._reason(RagDocument, {"title": document.title, CHUNK_TEXT: words}),
        )

    def _reason(self, model: type[EnvironmentRow], texts: Mapping[str, str | None]) -> str | None:
        """Why a row with these texts would be test data, or None."""
        verdict = self._judge.judge_row(facts_of(model, texts))
        return verdict.reason if verdict.is_test_data else None

    def _publish(
        self, names: DocumentNames, standing: Standing | None, new: NewContent, placement: Placement
    ) -> Outcome:
        try:
            with self._environment.database.begin() as session:
                return rows.write(session, names, standing, new, placement, self._clock)
        except (BadInput, ItemRefused):
            kept = None if standing is None else Version(names, standing.version, standing.object_name)
            self._stores.sweep(names, kept, 0 if standing is None else standing.point_count)
            raise

    def _settle(self, version: Version, point_count: int) -> None:
        """What follows from the rows: readers find the version that they name, and nothing else is kept."""
        self._stores.reveal(version, point_count)
        self._stores.sweep(version.names, version, point_count)
        self._environment.cache.delete(
            cached_item(StoredFile.__tablename__, version.names.file_id),
            cached_item(RagDocument.__tablename__, version.names.document_id),
        )
