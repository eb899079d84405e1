"""What a file is once it has been read."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

MAX_TITLE = 500
"""As wide as `rag_documents.title`."""


class ContentType(StrEnum):
    """The kinds of files that are read."""

    MARKDOWN = "text/markdown"
    TEXT = "text/plain"
    RESTRUCTURED = "text/x-rst"
    HTML = "text/html"
    PDF = "application/pdf"


BY_SUFFIX = {
    ".md": ContentType.MARKDOWN,
    ".markdown": ContentType.MARKDOWN,
    ".rst": ContentType.RESTRUCTURED,
    ".html": ContentType.HTML,
    ".htm": ContentType.HTML,
    ".xhtml": ContentType.HTML,
    ".pdf": ContentType.PDF,
}
"""Any other name, or none (`LICENSE`, `LICENSE.APACHE`), is plain text if its bytes are."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file's text, ready to be cut and embedded."""

    title: str
    """What the document calls itself, else its file's name; at most `MAX_TITLE` characters on one line."""
    content_type: ContentType
    text: str
    """Paragraphs with an empty line between them; never blank."""
    language: str | None = None
    """BCP 47, where the document says it."""


def content_type(name: str) -> ContentType:
    """The kind that a filename promises."""
    return BY_SUFFIX.get(PurePosixPath(name).suffix.lower(), ContentType.TEXT)
