"""How well something tells test data from real data, in numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.detection.labelled import Case


@dataclass(frozen=True, slots=True)
class Score:
    """The four counts of a comparison with the labels."""

    right_marks: int
    false_marks: int
    missed: int
    left_alone: int

    @property
    def precision(self) -> float:
        """Of the marks, how many are right; 1 if there are none."""
        marks = self.right_marks + self.false_marks
        return self.right_marks / marks if marks else 1.0

    @property
    def recall(self) -> float:
        """Of the test data, how much is marked; 1 if there is none."""
        tests = self.right_marks + self.missed
        return self.right_marks / tests if tests else 1.0

    def __str__(self) -> str:
        counts = f"{self.right_marks} right, {self.false_marks} false, {self.missed} missed"
        return f"precision {self.precision:.3f}, recall {self.recall:.3f} ({counts})"


def score(answers: Iterable[tuple[bool, bool]]) -> Score:
    """The counts of pairs: whether it is test data, and whether it was marked."""
    counts = {(is_test, is_marked): 0 for is_test in (True, False) for is_marked in (True, False)}
    for each in answers:
        counts[each] += 1
    return Score(counts[True, True], counts[False, True], counts[True, False], counts[False, False])


def groups(case: Case) -> tuple[tuple[str, str], ...]:
    """The groups that a case is counted in, each with what it divides by."""
    return (("category", case.category), ("language", case.language.value), ("kind", case.kind.value))
