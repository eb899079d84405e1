"""What a document's points are called and carry: the contract between ingest, promotion and readers of the index."""

from uuid import UUID, uuid5

DOCUMENT_ID = "document_id"
"""The row in `rag_documents`, as text."""
VERSION = "version"
"""The row's `vector_version`, as text."""
CHUNK = "chunk"
"""Which chunk of the document, counted from 0."""
ENVIRONMENT = "environment"
"""Who may read the point: an environment's name, or a staging value that no reader asks for."""
TEXT = "text"
"""The chunk's own text."""
TITLE = "title"
"""The document's title."""
FILENAME = "filename"
"""The document's `stored_files.filename`."""
LANGUAGE = "language"
"""The document's language (BCP 47); left out where it is not known."""

INDEXED = (ENVIRONMENT, VERSION, DOCUMENT_ID)
"""The fields that readers and this project filter on."""

_STAGED = "staging:"


def point_id(version: UUID, chunk: int) -> UUID:
    """The id of a chunk's point: the same on every machine, another for every version."""
    return uuid5(version, str(chunk))


def point_ids(version: UUID, count: int) -> list[UUID]:
    """The ids of all points of a version, in the order of its chunks."""
    return [point_id(version, chunk) for chunk in range(count)]


def staged(environment: str) -> str:
    """The value of `ENVIRONMENT` in points that nobody may see yet, or no longer.

    Readers ask for the environment's own name; no environment can be called like this.
    """
    return f"{_STAGED}{environment}"
