"""Files to documents: title and text out of Markdown, HTML, PDF and plain text."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from bs4 import BeautifulSoup, CData, Tag
from bs4.element import NavigableString, PageElement
from bs4.exceptions import ParserRejectedMarkup
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.ingest import charset
from wisqu_pipelines.ingest.documents import MAX_TITLE, ContentType, Document, content_type

MAX_TEXT = 16 * 1024 * 1024
"""Characters. A small PDF can unfold into far more text than anyone will search."""
UNREAD = frozenset({"script", "style", "template", "noscript", "svg"})
"""HTML elements whose content no reader sees."""
BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "footer",
        "form",
    }
    | {"h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table"}
    | {"td", "th", "title", "tr", "ul"}
)
"""HTML elements that stand apart from the text around them."""
BREAK = "\n\n"

_FRONT_MATTER = re.compile(r"\A---\n.*?^---\n", re.DOTALL | re.MULTILINE)
_RST_TITLE = re.compile(r"^(?P<title>[^\s].*)\n(?P<line>[=\-`:'\"~^_*+#<>.])(?P=line)+[ \t]*$", re.MULTILINE)
_DECLARED = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([a-z0-9_:-]{1,40})""", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_EMPTY_LINES = re.compile(r"\n{3,}")
_SPACES = re.compile(r"[ \t\xa0]+")


def extract(file: BinaryIO, name: str) -> Document:
    """Read a file's title and text.

    Args:
        file: the file, at its start.
        name: its filename; the suffix says what it is.

    Raises:
        BadInput: the file is empty, broken, encrypted, binary, or has no text.
    """
    kind = content_type(name)
    try:
        document = _pdf(file, name) if kind is ContentType.PDF else _textual(file.read(), name, kind)
    except RecursionError:
        raise _refused(name, "it is nested too deeply") from None
    if not document.text:
        raise _refused(name, "it has no text")
    if len(document.text) > MAX_TEXT:
        raise _refused(name, f"it has {len(document.text)} characters of text, and at most {MAX_TEXT} are taken")
    return document


def _textual(data: bytes, name: str, kind: ContentType) -> Document:
    if not data.strip():
        raise _refused(name, "it is empty")
    if kind is ContentType.HTML:
        declared = _DECLARED.search(data[:4096])
        return _html(charset.decode(data, name, declared.group(1).decode() if declared else None), name)
    text = charset.decode(data, name)
    if kind is ContentType.MARKDOWN:
        return _markdown(text, name)
    heading = _RST_TITLE.search(text) if kind is ContentType.RESTRUCTURED else None
    return Document(_title(heading and heading["title"], name), kind, _paragraphs(text))


def _markdown(text: str, name: str) -> Document:
    """Text in reading order, without the marks. README files keep their title in raw HTML as often as in `# …`."""
    title: str | None = None
    blocks: list[str] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(_FRONT_MATTER.sub("", text))
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "inline":
            block = _inline(token)
            if title is None and before is not None and before.type == "heading_open":
                title = block
        elif token.type == "html_block":
            soup = BeautifulSoup(token.content, "html.parser")
            title = title or _text_of(soup.h1)
            block = _visible(soup)
        else:
            block = token.content
        blocks.append(block.strip())
    return Document(_title(title, name), ContentType.MARKDOWN, _paragraphs("\n\n".join(filter(None, blocks))))


def _inline(token: Token) -> str:
    return "".join(_inline_parts(token))


def _inline_parts(token: Token) -> Iterator[str]:
    for child in token.children or ():
        if child.type in {"softbreak", "hardbreak"}:
            yield "\n"
        elif child.type == "image":
            yield _inline(child)
        elif child.type in {"text", "code_inline"}:
            yield child.content


def _html(text: str, name: str) -> Document:
    try:
        soup = BeautifulSoup(text, "html.parser")
    except (ParserRejectedMarkup, AssertionError):
        raise _refused(name, "it is no readable HTML") from None
    title = _text_of(soup.title) or _text_of(soup.h1)
    root = soup.find("html")
    language = root.get("lang") if isinstance(root, Tag) else None
    known = isinstance(language, str) and len(language) <= 35 and _LANGUAGE.fullmatch(language)
    return Document(
        _title(title, name), ContentType.HTML, _paragraphs(_visible(soup)), str(language) if known else None
    )


def _visible(soup: BeautifulSoup) -> str:
    """The text that a reader sees. It walks with a stack of its own: pages can be nested deeper than Python calls."""
    parts: list[str] = []
    waiting: list[PageElement | str] = [soup]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Tag):
            if node.name in UNREAD:
                continue
            around = [BREAK] if node.name in BLOCKS else []
            waiting += [*around, *reversed(node.contents), *around]
        elif node is BREAK or type(node) in {NavigableString, CData}:
            parts.append(str(node))
    return "".join(parts)


def _text_of(tag: Tag | None) -> str | None:
    return tag.get_text(" ", strip=True) or None if tag is not None else None


def _pdf(file: BinaryIO, name: str) -> Document:
    """Page by page. pypdf gives up on broken files in many ways, so anything that it raises is the file's fault."""
    if not file.read(1):
        raise _refused(name, "it is empty")
    file.seek(0)
    try:
        reader = PdfReader(file)
        if reader.is_encrypted:
            raise _refused(name, "it is encrypted")
        title = reader.metadata.title if reader.metadata else None
        pages: list[str] = []
        size = 0
        for page in reader.pages:
            pages.append(page.extract_text())
            size += len(pages[-1])
            if size > MAX_TEXT:
                raise _refused(name, f"it has more than {MAX_TEXT} characters of text")
    except BadInput:
        raise
    except (PyPdfError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError) as error:
        raise _refused(name, f"it is no readable PDF ({type(error).__name__})") from None
    return Document(
        _title(charset.clean(str(title)) if title else None, name),
        ContentType.PDF,
        _paragraphs(charset.clean("\n\n".join(pages))),
    )


def _paragraphs(text: str) -> str:
    """One empty line between paragraphs, none at the ends, and no blanks at the ends of lines."""
    return _EMPTY_LINES.sub(BREAK, "\n".join(line.rstrip() for line in text.split("\n"))).strip()


def _title(found: str | None, name: str) -> str:
    line = _SPACES.sub(" ", (found or "").replace("\n", " ")).strip()
    return (line or PurePosixPath(name).name)[:MAX_TITLE].strip()


def _refused(name: str, reason: str) -> BadInput:
    return BadInput(what=f"the file '{name}'", reason=reason)
