"""What detection finds and what it makes of it: evidence, and the verdict over a text or a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

REASON_CHARACTERS = 500
"""As wide as the column `test_data_reason`."""
FOUND_CHARACTERS = 60
"""How much of the found text a reason repeats."""


class FieldKind(StrEnum):
    """What kind of text a field holds; a word means something else in a filename than in prose."""

    PERSON = "person"
    """A person's name."""
    EMAIL = "email"
    FILENAME = "filename"
    """Also a path or an object's key."""
    TITLE = "title"
    """Of a document or a conversation: a few words."""
    PROSE = "prose"
    """Sentences: a message, a chunk of a document."""
    IDENTIFIER = "identifier"
    """A name for machines: a bucket, a collection, a role."""


class Decision(StrEnum):
    """What a score means in an environment."""

    REAL = "real"
    REVIEW = "review"
    """Between the thresholds: a person says what it is."""
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that speaks for test data, or (with a negative weight) against it."""

    recogniser: str
    """The name of what found it: a recogniser's, a custom pattern's, or the model's version."""
    group: str
    """The recogniser's group: `test_people`, `custom`, `context`, `model`, …"""
    field: str
    """The column, or `text`."""
    weight: float
    """What it adds to the score; 1.0 is enough by itself where the threshold is 1.0."""
    found: str
    """The words that were found, as they stand in the normalised text."""
    explanation: str
    """Why that speaks for test data: a sentence without its full stop."""

    @property
    def sentence(self) -> str:
        """What was found and where, in one line."""
        cut = self.found if len(self.found) <= FOUND_CHARACTERS else f"{self.found[:FOUND_CHARACTERS]}…"
        return f"{self.group}/{self.recogniser} in {self.field}: '{cut}' ({self.explanation})"


class Verdict:
    """What detection makes of a text or of a row."""

    __slots__ = ("_evidence", "decision", "score")

    def __init__(self, decision: Decision, score: float, evidence: tuple[Evidence, ...]) -> None:
        """From a score and the evidence for it."""
        self.decision = decision
        self.score = score
        self._evidence = evidence

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What speaks for test data, and against it."""
        return self._evidence

    def __eq__(self, other: object) -> bool:
        """Whether it is the same verdict for the same reasons."""
        if not isinstance(other, Verdict):
            return NotImplemented
        return (self.decision, self.score, self.evidence) == (other.decision, other.score, other.evidence)

    def __hash__(self) -> int:
        """As equal verdicts have it."""
        return hash((self.decision, self.score))

    def __repr__(self) -> str:
        """The verdict with its evidence."""
        return f"Verdict({self.decision!r}, {self.score!r}, {self.evidence!r})"

    @property
    def is_test_data(self) -> bool:
        """Whether it is to be marked."""
        return self.decision is Decision.TEST

    @property
    def reason(self) -> str:
        """The evidence, strongest first; empty if there is none. At most `REASON_CHARACTERS` long."""
        return told(self.evidence)


def told(evidence: Sequence[Evidence]) -> str:
    """The evidence in one line that fits into `test_data_reason`, strongest first; what does not fit is counted."""
    sentences = [each.sentence for each in sorted(evidence, key=lambda each: -abs(each.weight))]
    line = ""
    for number, sentence in enumerate(sentences):
        longer = f"{line}; {sentence}" if line else sentence
        rest = f"; and {len(sentences) - number} more"
        if len(longer) > REASON_CHARACTERS - len(rest):
            return f"{line}{rest}" if line else f"{sentence[: REASON_CHARACTERS - 1]}…"
        line = longer
    return line
