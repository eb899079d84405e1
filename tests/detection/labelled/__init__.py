"""Texts and rows labelled as test data or as real, written without a look at the detector's patterns.

`develop.jsonl` may be read while working on the detector. `held_out.jsonl` is for measuring alone: whoever looks at its
cases and then changes a pattern has to write new ones. Cases that differ in digits, case or punctuation only stand in
the same half. `rows.jsonl` may be read, and has no text of those held out.
"""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from wisqu_pipelines.detection.evidence import FieldKind

HERE = Path(__file__).parent
TEST, REAL = "test", "real"


class Half(StrEnum):
    """What a case may be used for; also the name of its file."""

    DEVELOP = "develop"
    HELD_OUT = "held_out"


class Language(StrEnum):
    """Whose words a text is made of; of an e-mail address, whose it is."""

    ENGLISH = "en"
    PERSIAN = "fa"
    ARABIC = "ar"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Case:
    """A text, and what it is."""

    id: str
    text: str
    kind: FieldKind
    language: Language
    category: str
    """What makes it easy or hard to tell: `within_word`, `keyboard`, `phrase`, …"""
    is_test: bool
    is_hard: bool
    """Whether a list of words would go wrong on it, or a reader hesitate."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class RowCase:
    """A row with what surrounds it, and what it is."""

    id: str
    item_type: str
    fields: Mapping[str, str]
    is_test: bool
    context: Mapping[str, Any] = field(default_factory=dict)
    """`account_age_minutes` (when the row was made), `account_email`, `is_test_account`, `empty_fields`."""


@cache
def cases(half: Half | None = None) -> tuple[Case, ...]:
    """The cases of one half, or of both."""
    return tuple(
        Case(
            id=line["id"],
            text=line["text"],
            kind=FieldKind(line["kind"]),
            language=Language(line["language"]),
            category=line["category"],
            is_test=_is_test(line),
            is_hard=line["hard"],
            note=line.get("note", ""),
        )
        for each in ([half] if half else Half)
        for line in _lines(f"{each}.jsonl")
    )


@cache
def rows() -> tuple[RowCase, ...]:
    """The rows, which are not divided."""
    return tuple(
        RowCase(line["id"], line["item_type"], line["fields"], _is_test(line), line["context"])
        for line in _lines("rows.jsonl")
    )


def normalised(text: str) -> str:
    """A text as the set compares it: without differences of width, case and spacing."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def letters(text: str) -> str:
    """What is left of a text that differs from its family in digits and punctuation; the text, if it has no letters."""
    return "".join(each for each in normalised(text) if each.isalpha()) or normalised(text)


def _is_test(line: Mapping[str, Any]) -> bool:
    label = line["label"]
    assert label in {TEST, REAL}, f"{line['id']} is labelled {label}"
    return bool(label == TEST)


def _lines(name: str) -> Iterator[dict[str, Any]]:
    with (HERE / name).open(encoding="utf-8") as file:
        yield from map(json.loads, file)
