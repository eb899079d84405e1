"""What the labelled set promises about itself: enough of everything, balanced, and nothing on both sides."""

from collections import Counter, defaultdict
from itertools import product

import pytest

from tests.detection.labelled import Case, Half, Language, cases, letters, normalised, rows
from wisqu_pipelines.catalog.models import EnvironmentRow
from wisqu_pipelines.detection.evidence import FieldKind

LEAST_CASES = 3_000
LEAST_ROWS = 150
LEAST_IN_CELL = 40
MOST_IN_FAMILIES = 0.25


def test_it_is_large_and_half_of_it_is_hard() -> None:
    assert len(cases()) >= LEAST_CASES
    assert len(rows()) >= LEAST_ROWS
    assert sum(case.is_hard for case in cases()) >= len(cases()) / 2
    assert sum(case.is_hard and not case.is_test for case in cases()) >= len(cases()) / 4


@pytest.mark.parametrize(("kind", "language"), list(product(FieldKind, Language)))
def test_each_kind_is_there_in_each_language_and_both_ways(kind: FieldKind, language: Language) -> None:
    cell = [case for case in cases() if case.kind is kind and case.language is language]
    assert len(cell) >= LEAST_IN_CELL
    for half in Half:
        labels = Counter(case.is_test for case in cases(half) if case in cell)
        assert min(labels[True], labels[False]) >= LEAST_IN_CELL / 5


@pytest.mark.parametrize("half", Half)
def test_the_labels_are_balanced(half: Half) -> None:
    share = sum(case.is_test for case in cases(half)) / len(cases(half))
    assert 0.40 <= share <= 0.50


def test_each_category_is_in_both_halves() -> None:
    develop, held_out = ({case.category for case in cases(half)} for half in Half)
    assert develop == held_out
    assert len(develop) >= 15


def test_no_text_is_there_twice() -> None:
    counts = Counter((case.kind, normalised(case.text)) for case in cases())
    assert [text for text, count in counts.items() if count > 1] == []
    assert len({case.id for case in cases()}) == len(cases())
    assert len({(row.item_type, tuple(row.fields.items())) for row in rows()}) == len({row.id for row in rows()})


def test_no_family_is_in_both_halves() -> None:
    develop, held_out = ({letters(case.text) for case in cases(half)} for half in Half)
    assert develop & held_out == set()


def test_the_rows_give_nothing_away_of_what_is_held_out() -> None:
    held_out = {letters(case.text) for case in cases(Half.HELD_OUT)}
    assert held_out & {letters(text) for row in rows() for text in row.fields.values()} == set()


def test_few_cases_are_of_a_family() -> None:
    families: dict[str, list[Case]] = defaultdict(list)
    for case in cases():
        families[letters(case.text)].append(case)
    assert sum(len(family) for family in families.values() if len(family) > 1) <= MOST_IN_FAMILIES * len(cases())


def test_the_rows_are_of_tables_and_columns_that_exist() -> None:
    tables = {str(model.__tablename__): model for model in EnvironmentRow.__subclasses__()}
    known = {"account_age_minutes", "account_email", "is_test_account", "empty_fields"}
    for row in rows():
        assert set(row.fields) <= set(tables[row.item_type].__table__.columns.keys())
        assert row.context.keys() <= known
    assert 0.40 <= sum(row.is_test for row in rows()) / len(rows()) <= 0.55
