"""What a recogniser is: patterns of one idea, where they count and how much, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from wisqu_pipelines.detection.evidence import FieldKind

CERTAIN = 1.2
"""Enough by itself, even in long prose."""
STRONG = 1.0
"""Enough by itself where the threshold is the default."""
LIKELY = 0.7
"""For a person to say; enough with any company."""
WEAK = 0.35
"""Nothing by itself."""
NAMES = (FieldKind.PERSON, FieldKind.EMAIL, FieldKind.IDENTIFIER)
SHORT = (*NAMES, FieldKind.FILENAME, FieldKind.TITLE)
ASIDE = r"[ -/:-@\[-`{-~«»“”„–—،؛؟]*"
"""Blanks and punctuation; RE2's `\\W` takes every letter that is not ASCII for punctuation."""


class Form(StrEnum):
    """Which form of a text patterns are searched in."""

    WORDS = "words"
    """` my test 12 `: words in lower case, one blank before, between and after them."""
    TEXT = "text"
    """Normalised, with its punctuation."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """One idea of what test data looks like, or (with negative weights) of what only seems to."""

    name: str
    patterns: tuple[str, ...]
    """RE2; no `\\b`, which is wrong beside Persian letters: in `Form.WORDS` blanks part words."""
    weight: float
    """In any kind of field that `weights` does not name."""
    explanation: str
    """Why that speaks for test data: a sentence without its full stop."""
    examples: tuple[str, ...]
    """Texts that it must find something in."""
    near_misses: tuple[str, ...]
    """Texts that look like it, and in which it must find nothing."""
    weights: Mapping[FieldKind, float] = field(default_factory=dict)
    form: Form = Form.WORDS

    def weight_in(self, kind: FieldKind) -> float:
        """What it adds in a field of that kind; 0: it does not apply there."""
        return self.weights.get(kind, self.weight)


def only_in(*kinds: FieldKind) -> Mapping[FieldKind, float]:
    """Weights of 0 for every other kind."""
    return {kind: 0.0 for kind in FieldKind if kind not in kinds}


def any_of(*alternatives: str) -> str:
    """One of these words or phrases."""
    return f"(?:{'|'.join(alternatives)})"
