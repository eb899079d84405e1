"""Text from outside stays text in Dagster's Markdown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from wisqu_pipelines.assets import markdown

HOSTILE = [
    "a|b|c.pdf",
    "two\nlines\r\n# and a heading.pdf",
    "<script>alert(1)</script>.html",
    "<img src=x onerror=alert(1)>",
    "![x](https://example.org/track.png)",
    "[click](javascript:alert(1))",
    "`code`**bold**_it_~~gone~~",
    "trailing backslash\\",
    "\\|escaped pipe|",
    "&lt;b&gt;",
    "- list",
    "1. list",
    "> quote",
    "\u202egnp.exe",
    "=HYPERLINK(1)",
    "گزارش\u200cها.pdf",
]
PARSER = MarkdownIt("gfm-like", {"html": True, "linkify": False})


def rendered_cells(source: str) -> list[str]:
    return re.findall(r"<td[^>]*>(.*?)</td>", PARSER.render(source), re.DOTALL)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_one_plain_cell(name: str) -> None:
    (cell,) = rendered_cells(markdown.table(("name",), [(name,)]))
    assert not re.search(r"<[a-z]", cell), cell
    assert "\n" not in cell
    assert "\u202e" not in cell


@given(st.text(max_size=60))
def test_any_text_is_one_row_of_one_cell_without_markup(name: str) -> None:
    cells = rendered_cells(markdown.table(("name", "next"), [(name, "end")]))
    assert len(cells) == 2
    assert cells[1] == "end"
    assert "<" not in cells[0]


def test_names_read_as_they_are() -> None:
    (cell,) = rendered_cells(markdown.table(("name",), [("LICENSE (2024)_v1.0.txt",)]))
    assert cell == "LICENSE (2024)_v1.0.txt"


def test_addresses_have_nothing_that_becomes_a_link() -> None:
    links = re.compile(r"https?://|www\.|[\w.+-]+@[\w-]+\.", re.IGNORECASE)  # what GitHub's Markdown links by itself
    for name in ("http://example.org/x", "HTTPS://example.org", "www.example.org", "someone@example.org"):
        assert links.search(name)
        (cell,) = rendered_cells(markdown.table(("name",), [(name,)]))
        assert not links.search(cell), name
        assert cell.replace("\u2060", "") == name


def test_numbers_stand_right_and_truth_is_spoken() -> None:
    source = markdown.table(("rows", "is_deleted", "latest"), [(1234567, False, None), (2, True, "2026-01-01")])
    assert source.splitlines() == [
        "| rows | is deleted | latest |",
        "| ---: | --- | --- |",
        "| 1,234,567 | no |  |",
        "| 2 | yes | 2026\\-01\\-01 |",
    ]


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_999, "1.0 MB"),
        (5_240_000, "5.2 MB"),
        (3 * 10**15, "3000.0 TB"),
    ],
)
def test_sizes(size: int, said: str) -> None:
    assert markdown.size(size) == said
