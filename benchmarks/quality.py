"""How well detection tells test data from real data, beside two lists of words: on texts it was not developed on.

`python -m benchmarks.quality` prints the table alone, without a stack; `--whole` takes the other half as well.
"""

import sys
from collections.abc import Callable, Iterator, Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.ratios import Ratio, ratio
from benchmarks.rivals.substrings import anywhere, as_words
from tests.detection.labelled import Case, Half, cases
from tests.detection.labelled.scoring import Score, groups, score
from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.settings import Settings

PRECISION, RECALL, LEAST_PRECISION = 0.97, 0.85, 0.93
FEWER_FALSE_MARKS = {"words anywhere": 10.0, "words by themselves": 5.0}
"""How many false marks a list must set for each of ours."""
OURS = "detection"

Marks = Mapping[str, bool]
"""Whether a case is marked, by its id."""
Group = tuple[str, str]
Scores = Mapping[Group, Mapping[str, Score]]
"""By group, and within it by whose marks they are."""
ALL: Group = ("all", "")


def measure(_settings: Settings, _rounds: int) -> Iterator[Ratio]:
    """Our precision and recall against their goals, and the lists' errors against ours; prints the table first."""
    found = scores(cases(Half.HELD_OUT))
    Console(stderr=True, width=130).print(table(found))
    ours = found[ALL][OURS]
    lowest = min(each[OURS].precision for (by, _), each in found.items() if by in {"language", "kind"})
    yield _reached("quality: precision on texts held out", ours.precision, PRECISION)
    yield _reached("quality: recall on texts held out", ours.recall, RECALL)
    yield _reached("quality: lowest precision of a language or a kind", lowest, LEAST_PRECISION)
    for name, goal in FEWER_FALSE_MARKS.items():
        theirs = found[ALL][name]
        yield ratio(f"quality: false marks of {name} against ours", goal, max(1, ours.false_marks), theirs.false_marks)
        yield ratio(f"quality: missed by {name} against ours", 1.0, max(1, ours.missed), theirs.missed)


def scores(some: tuple[Case, ...]) -> Scores:
    """All three, over all and for each category, language and kind."""
    marks = {name: _marks(some, mark) for name, mark in _markers().items()}
    divided: dict[Group, list[Case]] = {ALL: list(some)}
    for case in some:
        for group in groups(case):
            divided.setdefault(group, []).append(case)
    return {
        group: {name: score((case.is_test, by[case.id]) for case in part) for name, by in marks.items()}
        for group, part in sorted(divided.items())
    }


def table(found: Scores) -> Table:
    """Precision, recall, false marks and misses, side by side."""
    shown = Table(title="Test data found: precision, recall, false marks, missed", title_justify="left")
    for head in ("by", "group", "test", "real"):
        shown.add_column(head, justify="right" if head in {"test", "real"} else "left", no_wrap=True)
    for name in found[ALL]:
        shown.add_column(name, justify="right", no_wrap=True)
    before = ALL[0]
    for (by, group), row in found.items():
        if by != before:
            shown.add_section()
        before = by
        ours = row[OURS]
        shown.add_row(
            by,
            group,
            str(ours.right_marks + ours.missed),
            str(ours.false_marks + ours.left_alone),
            *(_numbers(each) for each in row.values()),
        )
    return shown


def _reached(name: str, share: float, goal: float) -> Ratio:
    """A share that has no rival but its goal."""
    return Ratio(name=name, ratio=round(share, 4), goal=goal, holds=share >= goal, ours=share, rival=goal)


def _markers() -> Mapping[str, Callable[[Case], bool]]:
    judge = TextJudge()
    return {
        OURS: lambda case: judge.judge(case.text, case.kind).is_test_data,
        "words anywhere": lambda case: anywhere(case.text),
        "words by themselves": lambda case: as_words(case.text),
    }


def _marks(some: tuple[Case, ...], mark: Callable[[Case], bool]) -> Marks:
    return {case.id: mark(case) for case in some}


def _numbers(found: Score) -> str:
    precision = f"{found.precision:.3f}" if found.right_marks + found.false_marks else "–"
    recall = f"{found.recall:.3f}" if found.right_marks + found.missed else "–"
    return f"{precision:>5} {recall:>5} {found.false_marks:>3} {found.missed:>3}"


if __name__ == "__main__":
    Console(width=130).print(table(scores(cases(None if "--whole" in sys.argv[1:] else Half.HELD_OUT))))
