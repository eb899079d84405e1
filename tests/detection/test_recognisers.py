"""Each recogniser finds its examples and misses its near misses, and its own patterns say so."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import re2

from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.normalising import normalise, words
from wisqu_pipelines.detection.prefilter import suspicious, trigger_for
from wisqu_pipelines.detection.recogniser import Form, Recogniser
from wisqu_pipelines.detection.registry import DETECTOR_VERSION, GROUPS, version_of

RECOGNISERS = [pytest.param(each, id=f"{group}/{each.name}") for group, members in GROUPS.items() for each in members]


def _form(recogniser: Recogniser, text: str) -> str:
    return words(text) if recogniser.form is Form.WORDS else normalise(text)


def _finds(recogniser: Recogniser, text: str) -> bool:
    return any(re2.search(pattern, _form(recogniser, text)) is not None for pattern in recogniser.patterns)


@pytest.mark.parametrize("recogniser", RECOGNISERS)
def test_finds_its_examples(recogniser: Recogniser) -> None:
    assert [text for text in recogniser.examples if not _finds(recogniser, text)] == []


@pytest.mark.parametrize("recogniser", RECOGNISERS)
def test_misses_its_near_misses(recogniser: Recogniser) -> None:
    assert recogniser.near_misses
    assert [text for text in recogniser.near_misses if _finds(recogniser, text)] == []


@pytest.mark.parametrize("recogniser", RECOGNISERS)
def test_patterns_mean_the_same_to_python(recogniser: Recogniser) -> None:
    for text in (*recogniser.examples, *recogniser.near_misses):
        form = _form(recogniser, text)
        for pattern in recogniser.patterns:
            assert (re2.search(pattern, form) is not None) == (re.search(pattern, form) is not None), (pattern, form)


@pytest.mark.parametrize("recogniser", RECOGNISERS)
def test_boundaries_are_explicit(recogniser: Recogniser) -> None:
    assert not [pattern for pattern in recogniser.patterns if r"\b" in pattern]


@pytest.mark.parametrize("recogniser", RECOGNISERS)
def test_an_example_pulls_the_trigger_that_is_derived_from_it(recogniser: Recogniser) -> None:
    trigger = trigger_for([recogniser])
    assert suspicious(recogniser.examples, trigger) == list(range(len(recogniser.examples)))


def test_there_are_enough() -> None:
    assert sum(len(each.patterns) for members in GROUPS.values() for each in members) >= 60
    names = [each.name for members in GROUPS.values() for each in members]
    assert len(names) == len(set(names))


def test_another_pattern_or_weight_is_another_version() -> None:
    (group, members), *_ = GROUPS.items()
    for changed in _changed(members[0]):
        assert version_of({**GROUPS, group: (changed, *members[1:])}) != DETECTOR_VERSION
    assert version_of(dict(GROUPS)) == DETECTOR_VERSION
    assert TextJudge().version.startswith(DETECTOR_VERSION)


def _changed(recogniser: Recogniser) -> Iterator[Recogniser]:
    yield replace(recogniser, patterns=(*recogniser.patterns, "another"))
    yield replace(recogniser, weight=recogniser.weight + 0.1)
    yield replace(recogniser, weights={**recogniser.weights, FieldKind.PROSE: 0.123})
