import io
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from pypdf import PdfReader, PdfWriter

from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.ingest.documents import ContentType, Document
from wisqu_pipelines.ingest.extract import extract


def read(data: bytes | str, name: str) -> Document:
    return extract(io.BytesIO(data.encode() if isinstance(data, str) else data), name)


def pdf(text: str, title: str | None = None) -> bytes:
    figure = Figure()
    figure.text(0.1, 0.5, text)
    file = io.BytesIO()
    figure.savefig(file, format="pdf", metadata={"Title": title})
    return file.getvalue()


def test_markdown_gives_title_and_text_without_marks() -> None:
    document = read(
        "# The *title*\n\nHello [link](http://x) and `code`.\nSame.\n\n```py\nrun()\n```\n\n|a|b|\n|-|-|\n|1|2|\n",
        "d/a.md",
    )
    assert document.title == "The title"
    assert document.content_type is ContentType.MARKDOWN
    assert document.text == "The title\n\nHello link and code.\nSame.\n\nrun()\n\na\n\nb\n\n1\n\n2"


def test_markdown_takes_a_title_from_raw_html_and_skips_front_matter() -> None:
    document = read('---\nlayout: x\n---\n<h1 align="center">Name</h1>\n\n![badge](u)\n\ntext\n\n# Later', "a.markdown")
    assert document.title == "Name"
    assert "layout" not in document.text
    assert "badge" in document.text


def test_html_gives_what_a_reader_sees() -> None:
    document = read(
        '<html lang="fa"><head><title> عنوان </title><style>p{}</style></head>'
        "<body><script>x()</script><!-- no --><p>یک <b>دو</b></p><p>سه</p></body></html>",
        "a.html",
    )
    assert (document.title, document.language) == ("عنوان", "fa")
    assert document.text == "عنوان\n\nیک دو\n\nسه"


def test_html_is_read_in_the_encoding_that_it_names() -> None:
    assert read('<meta charset="windows-1256"><p>سلام عليكم'.encode("cp1256"), "a.htm").text == "سلام عليكم"


def test_html_may_be_nested_deeper_than_python_calls() -> None:
    assert read("<div>" * 20_000 + "deep", "a.html").text == "deep"


def test_pdf_gives_title_and_text() -> None:
    document = read(pdf("Hello from a page", "The title"), "a.pdf")
    assert document.title == "The title"
    assert document.content_type is ContentType.PDF
    assert "Hello from a page" in document.text


def test_plain_text_is_named_by_its_file() -> None:
    document = read("MIT License\r\n\r\n\r\n\r\nCopyright", "pkg/LICENSE")
    assert (document.title, document.content_type) == ("LICENSE", ContentType.TEXT)
    assert document.text == "MIT License\n\nCopyright"


def test_restructured_text_has_a_title_and_stays_as_it_is() -> None:
    document = read("=====\nTitle\n=====\n\n* text", "README.rst")
    assert (document.title, document.content_type) == ("Title", ContentType.RESTRUCTURED)
    assert "* text" in document.text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("\ufeffسلام".encode(), "سلام"),
        ("سلام".encode("utf-16"), "سلام"),
        ("Olá, café".encode("cp1252"), "Olá, café"),
        ("می\u200cخواهم".encode(), "می\u200cخواهم"),
        ("cafe\u0301".encode(), "café"),
        (b"a\x0cb\x1b[0m", "ab[0m"),
    ],
)
def test_text_comes_out_of_several_encodings(data: bytes, text: str) -> None:
    assert read(data, "a.txt").text == text


def encrypted() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("secret"))))
    writer.encrypt("password", algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.txt", "empty"),
        (b" \n\t", "a.md", "empty"),
        (b"", "a.pdf", "empty"),
        (b"%PDF-1.4\nbroken", "a.pdf", "no readable PDF"),
        (b"hello", "a.pdf", "no readable PDF"),
        (pdf("x")[:-400], "cut.pdf", "PDF"),
        (encrypted(), "a.pdf", "encrypted"),
        (pdf(""), "picture.pdf", "no text"),
        (b"\x7fELF\x02\0\0\0", "program", "binary"),
        (b"PK\x03\x04\0\0", "a.docx", "binary"),
        ("Привет, мир".encode("cp1251"), "a.txt", "save it as UTF-8"),
        ("سلام عليكم".encode("cp1256"), "a.txt", "save it as UTF-8"),
        (b"some text \x81", "a.txt", "cp1252"),
        (b"\xff\xfe\x00", "a.txt", "utf-16"),
        (b'<meta charset="nonsense">\xff', "a.html", "nonsense"),
        (b"<script>x</script>", "a.html", "no text"),
        (b"<!-- -->", "a.md", "no text"),
    ],
)
def test_what_is_no_document_is_refused_by_name(data: bytes, name: str, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(data, name)
    assert reason in str(refused.value)
    assert name in str(refused.value)


def test_hostile_markdown_ends_soon() -> None:
    for text in ("[" * 20_000, ">" * 20_000 + "x", "- " * 20_000 + "x", "*_" * 10_000, "`" * 20_000):
        try:
            read(text, "a.md")
        except BadInput:
            continue


def test_a_title_fits_its_column() -> None:
    assert len(read("# " + "long " * 500, "a.md").title) <= 500


def test_real_files_of_this_project_can_be_read() -> None:
    for path in Path(__file__).parents[2].glob("*.md"):
        with path.open("rb") as file:
            assert extract(file, path.name).title
