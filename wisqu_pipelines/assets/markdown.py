"""Markdown for the Dagster UI, in which text from outside stays text."""

import re
import string
from collections.abc import Sequence

from wisqu_pipelines.errors import printable
from wisqu_pipelines.figures import number, size

__all__ = ["number", "size", "table", "text"]

SHOWN_CHARACTERS = 400
"""Longest text that is shown whole: enough for any filename and for the reason why it is blocked."""

Value = str | int | float | bool | None

_ESCAPES = str.maketrans({mark: f"\\{mark}" for mark in string.punctuation} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LINK_STARTS = re.compile(r"://|www\.|@", re.IGNORECASE)
_WORD_JOINER = "\u2060"
"""Takes no room, and keeps an address from being turned into a link."""


def text(value: object) -> str:
    """A value as one line of Markdown that shows exactly it: no markup, no HTML, no link, no line break."""
    unlinked = _LINK_STARTS.sub(
        lambda start: f"{start[0][0]}{_WORD_JOINER}{start[0][1:]}", printable(str(value), SHOWN_CHARACTERS)
    )
    return unlinked.strip().translate(_ESCAPES)


def table(columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> str:
    """A table; columns of numbers stand right, and every other cell is text."""
    numeric = [bool(rows) and all(_is_number(row[place]) for row in rows) for place in range(len(columns))]
    lines = [
        [text(column.replace("_", " ")) for column in columns],
        ["---:" if each else "---" for each in numeric],
        *([_cell(value) for value in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int) else text(value)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
