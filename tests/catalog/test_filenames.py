import pytest

from wisqu_pipelines.catalog.filenames import check_filename
from wisqu_pipelines.errors import BadInput


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE",
        "docs/guide.md",
        "numpy-2.4.dist-info/licenses/LICENSE.txt",
        "راهنمای نماز.pdf",
        "می\u200cخواهم/کتاب\u200cها.md",  # the joiner that Persian writing needs
        "كتاب الصلاة.txt",
        "日本語.html",
        "a=b+c-d@e.txt",
        "scope/@core/README.md",
        "..hidden..txt",
        "x" * 255,
    ],
)
def test_ordinary_names_pass(name: str) -> None:
    check_filename(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x" * 5_000, "5000 characters"),
        ("x" * 256, "256 characters"),
        ("../etc/passwd", "leads out"),
        ("docs/../../secret", "leads out"),
        ("docs/./x", "leads out"),
        ("docs//x", "empty part"),
        ("/etc/passwd", "relative path"),
        ("C:/windows", "relative path"),
        ("..\\secret", "relative path"),
        ("a\0b.txt", "NUL"),
        ("a\nb.txt", "control"),
        ("a\x1b[31m.txt", "control"),
        ("a\u2028b.txt", "control"),
        ("invoice\u202excod.exe", "reading direction"),
        ("\u200fname.txt", "reading direction"),
        ("a\u2067b.txt", "reading direction"),
        ("=cmd|'/c calc'!A1.md", "formula"),
        ("+1.md", "formula"),
        ("-1.md", "formula"),
        ("@SUM(A1).md", "formula"),
        (" =1+1.md", "formula"),
        ("＝1+1.md", "formula"),
        ("docs/=1.md", "formula"),
        ("", "empty"),
        ("  ", "empty"),
        ("caf\udce9.txt", "Unicode"),
        ("ن" * 130, "bytes"),
    ],
)
def test_bad_names_are_refused_with_a_reason(name: str, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_filename(name)
    message = str(refused.value)
    assert reason in message
    assert message.isprintable()
    assert len(message) < 500
