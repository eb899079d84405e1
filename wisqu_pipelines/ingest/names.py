"""What a document is called in every store, worked out from what it is: a second ingest finds what the first left."""

from dataclasses import dataclass
from uuid import UUID, uuid5

PURPOSE = "rag_corpus"
"""`stored_files.purpose` of what ingest puts in."""
READING = 1
"""How documents are read, cut and embedded. A change of what comes out takes the next number, and every document then
counts as changed."""

_NAMESPACE = UUID("b6c1fb8c-0b4e-4d55-9d0e-5c6b0c8f4a27")


@dataclass(frozen=True, slots=True)
class DocumentNames:
    """The ids of one logical document: a filename, in one environment, for one purpose."""

    filename: str
    file_id: UUID
    document_id: UUID

    @classmethod
    def of(cls, environment: str, filename: str) -> "DocumentNames":
        """The ids of the document with that filename."""
        file_id = uuid5(_NAMESPACE, f"{environment}/{PURPOSE}/{filename}")
        return cls(filename, file_id, uuid5(file_id, "rag_documents"))

    @property
    def lock(self) -> int:
        """The number of the advisory lock that whoever changes the document holds (signed, 64 bits)."""
        return int.from_bytes(self.file_id.bytes[:8], "big", signed=True)

    @property
    def prefix(self) -> str:
        """What the keys of all its objects begin with."""
        return f"stored_files/{self.file_id}/"

    def version(self, sha256: str, bucket: str, collection: str, embedding: str) -> UUID:
        """The set of points for these bytes in this place by this embedder."""
        return uuid5(self.document_id, f"{sha256}/{bucket}/{collection}/{embedding}/{READING}")

    def key(self, version: UUID, sha256: str) -> str:
        """The key of the object with these bytes."""
        return f"{self.prefix}{version}/{sha256}"
