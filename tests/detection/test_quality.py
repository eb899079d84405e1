"""How well the detector tells test data from real data, on the labelled set."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from tests.detection.labelled import Case, Half, RowCase, cases, rows
from tests.detection.labelled.scoring import Score, groups, score
from wisqu_pipelines.detection.context import RowFacts
from wisqu_pipelines.detection.detector import TestDataDetector
from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.detection.fields import model_named, text_fields

PRECISION, RECALL = 0.97, 0.85
LEAST_PRECISION = 0.93
"""In each language and each kind of field."""
MADE_AT = datetime(2026, 5, 10, tzinfo=UTC)
SHOWN = 60
"""Wrong cases that a failure names."""

Answers = dict[str, tuple[bool, str]]


@cache
def told() -> Answers:
    """Whether each text is marked, and why, where its column tells what kind of text it is."""
    judge = TextJudge()
    verdicts = {case.id: judge.judge(case.text, case.kind) for case in cases()}
    return {id_: (verdict.is_test_data, verdict.reason) for id_, verdict in verdicts.items()}


@cache
def untold() -> Answers:
    """The same for the bare text, as the mission spells the call."""
    return {case.id: TestDataDetector.is_test_data(case.text) for case in cases()}


@cache
def of_rows() -> Answers:
    """The same for whole rows with what surrounds them."""

    def facts(row: RowCase) -> RowFacts:
        age = row.context.get("account_age_minutes")
        kinds = text_fields(model_named(row.item_type))
        return RowFacts(
            item_type=row.item_type,
            texts={name: row.fields.get(name) for name in kinds},
            kinds=kinds,
            row_created_at=MADE_AT,
            account_created_at=None if age is None else MADE_AT - timedelta(minutes=age),
            account_email=row.context.get("account_email"),
            is_test_account=row.context.get("is_test_account", False),
            empty_fields=row.context.get("empty_fields", 0),
        )

    judge = TextJudge()
    verdicts = {row.id: judge.judge_row(facts(row)) for row in rows()}
    return {id_: (verdict.is_test_data, verdict.reason) for id_, verdict in verdicts.items()}


def scored(some: Sequence[Case] | Sequence[RowCase], answers: Answers) -> Score:
    return score((each.is_test, answers[each.id][0]) for each in some)


def wrong(answers: Answers) -> str:
    """The cases that the detector gets wrong, false marks first: those of the half that may be read."""
    return listed(((case, case.text) for case in cases(Half.DEVELOP)), answers)


def wrong_rows(answers: Answers) -> str:
    """The same of the rows, all of which may be read."""
    return listed(((row, str(dict(row.fields))) for row in rows()), answers)


def listed(some: Iterable[tuple[Case | RowCase, str]], answers: Answers) -> str:
    lines = sorted(
        f"  {'MISSED' if each.is_test else 'FALSE '} {each.id} {text!r} {answers[each.id][1]}"
        for each, text in some
        if answers[each.id][0] != each.is_test
    )
    rest = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join(["wrong, of those that may be read:", *lines[:SHOWN], *rest])


@pytest.mark.parametrize("ask", [told, untold])
@pytest.mark.parametrize("half", [Half.HELD_OUT, None], ids=["held_out", "whole"])
def test_marks_are_right_and_most_test_data_is_marked(half: Half | None, ask: Callable[[], Answers]) -> None:
    answers = ask()
    found = scored(cases(half), answers)
    assert found.precision >= PRECISION, f"{found}\n{wrong(answers)}"
    assert found.recall >= RECALL, f"{found}\n{wrong(answers)}"


@pytest.mark.parametrize("ask", [told, untold])
@pytest.mark.parametrize("half", [Half.HELD_OUT, None], ids=["held_out", "whole"])
def test_no_language_and_no_kind_is_worse(half: Half | None, ask: Callable[[], Answers]) -> None:
    answers = ask()
    divided: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases(half):
        for group in groups(case):
            divided[group].append(case)
    found = {group: scored(some, answers) for group, some in divided.items() if group[0] != "category"}
    low = {" ".join(group): str(each) for group, each in found.items() if each.precision < LEAST_PRECISION}
    assert not low, f"{low}\n{wrong(answers)}"


def test_rows_are_judged_by_their_company() -> None:
    answers = of_rows()
    found = scored(rows(), answers)
    assert found.precision >= PRECISION, f"{found}\n{wrong_rows(answers)}"
    assert found.recall >= RECALL, f"{found}\n{wrong_rows(answers)}"
