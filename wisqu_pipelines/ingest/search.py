"""Finding documents again: the search that Wisqu's answers rest on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from wisqu_pipelines.catalog import points
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.ports.embedding import Embedder
from wisqu_pipelines.ports.vectors import ScoredPoint
from wisqu_pipelines.settings import Settings

SPARE = 4
"""How many times as many points are asked for as are wanted: the rows may know better than some of them."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that answers a query."""

    document_id: UUID
    title: str
    filename: str
    text: str
    score: float
    """Cosine similarity; 1 is the same words."""


class Search:
    """Searches one environment's documents."""

    def __init__(self, environment: Environment, settings: Settings, embedder: Embedder) -> None:
        """Search the settings' default collection; `embedder` must be the one that made its vectors."""
        self._environment = environment
        self._collection = environment.settings.get_collection_name(settings.default_collection)
        self._embedder = embedder

    def search(self, query: str, limit: int = 5) -> list[Hit]:
        """The chunks most like the query, best first.

        Points find, and rows decide: a point counts if it is of the version that its document's row names, and the row
        is not deleted (nor test data, where the environment leaves that out).

        Raises:
            BadInput: the query is blank.
            CollectionMissing: the environment's collection is not set up.
        """
        if not query.strip():
            raise BadInput(what="the query", reason="it is empty")
        found = self._environment.vectors.search(
            self._collection,
            self._embedder.embed([query])[0],
            {points.ENVIRONMENT: self._environment.name},
            limit * SPARE,
        )
        return list(self._current(found))[:limit]

    def _current(self, found: Sequence[ScoredPoint]) -> Iterator[Hit]:
        ids = {UUID(str(each.payload[points.DOCUMENT_ID])) for each in found}
        wanted = select(RagDocument).where(
            RagDocument.id.in_(ids), ~RagDocument.is_deleted, RagDocument.embedding == self._embedder.name
        )
        if self._environment.settings.excludes_test_data:
            wanted = wanted.where(~RagDocument.is_test_data)
        with self._environment.database.begin() as session:
            rows = {row.id: row for row in session.scalars(wanted)}
        for each in found:
            row = rows.get(UUID(str(each.payload[points.DOCUMENT_ID])))
            if row is not None and str(row.vector_version) == each.payload[points.VERSION]:
                yield Hit(
                    document_id=row.id,
                    title=row.title,
                    filename=str(each.payload.get(points.FILENAME, "")),
                    text=str(each.payload[points.TEXT]),
                    score=each.score,
                )
