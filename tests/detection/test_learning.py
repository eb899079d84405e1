"""What is learnt from marks: bounds, explanations, calibration, what may replace what, and proposals."""

import random
from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.lessons import evaluate, facts, split
from wisqu_pipelines.detection.proposing import propose
from wisqu_pipelines.detection.text_model import MOST, Example, TextModel, train
from wisqu_pipelines.errors import BadInput

REAL = [
    "Rulings on fasting",
    "Biography of Imam Ali",
    "Prayer of the traveller",
    "تفسیر سوره یوسف",
    "أحكام الصلاة",
    "Zakat",
]
OURS = ["Zebra run", "Kolibri canvas", "Kolibri check", "Zebra upload"]


def example(text: str, is_test_data: bool, number: int = 0) -> Example:
    return Example(f"dev/rag_documents/{number}", {"title": (FieldKind.TITLE, text)}, is_test_data)


def marks(count: int = 60, seed: int = 1) -> list[Example]:
    draw = random.Random(seed)  # noqa: S311 - chooses test cases
    found = []
    for number in range(count):
        is_test = bool(number % 2)
        words = draw.choice(OURS if is_test else REAL)
        found.append(example(f"{words} {draw.choice(['one', 'two', 'part', 'book'])} {number}", is_test, number))
    return found


@pytest.fixture(scope="module")
def model() -> TextModel:
    found = marks()
    return train("acme", found[:45], found[45:], None, seed=3)


def title(text: str) -> dict[str, tuple[FieldKind, str]]:
    return {"title": (FieldKind.TITLE, text)}


def test_it_tells_what_people_marked_from_what_they_did_not(model: TextModel) -> None:
    assert model.probability(title("Zebra canvas 99")) > 0.8
    assert model.probability(title("Prayer book 99")) < 0.2


def test_it_says_which_n_grams_weighed_most(model: TextModel) -> None:
    evidence = model.adjustment(title("Kolibri canvas 7"))
    assert evidence is not None
    assert evidence.weight > 0
    named = evidence.found.strip("'").split("' '")
    assert named
    assert all(each.strip() in " kolibri canvas 7 " for each in named)
    against = model.adjustment(title("Prayer of the traveller"))
    assert against is not None
    assert against.weight < 0


def test_it_says_nothing_of_what_it_has_never_seen(model: TextModel) -> None:
    assert model.adjustment(title("ξψω δφγ")) is None
    assert model.adjustment({}) is None
    assert model.adjustment({"email": (FieldKind.EMAIL, "Zebra run")}) is None, "another kind of field is another thing"


@given(text=st.text(max_size=200))
def test_it_never_adds_or_takes_more_than_it_may(model: TextModel, text: str) -> None:
    evidence = model.adjustment(title(text))
    assert evidence is None or abs(evidence.weight) <= MOST


def test_many_equal_marks_do_not_move_other_words() -> None:
    flood = [example("Zebra run", True, number) for number in range(1_000)]
    balanced = [*flood, *(example(text, False, 2_000 + number) for number, text in enumerate(REAL * 2))]
    model = train("acme", balanced, [], None, seed=3)
    for text in REAL:
        evidence = model.adjustment(title(text))
        assert evidence is None or evidence.weight < 0


def test_the_same_marks_make_the_same_model_and_others_another() -> None:
    found = marks()
    one, same = (train("acme", found[:45], found[45:], None, seed=3) for _ in range(2))
    assert one.version == same.version
    assert train("acme", found[:44], found[45:], None, seed=3).version != one.version


def test_learning_goes_on_from_what_was_learnt(model: TextModel) -> None:
    other = [example(f"Walrus {number}", bool(number % 2), number) for number in range(4)]
    further = train("acme", other, [], model, seed=3)
    assert further.probability(title("Zebra canvas")) > 0.6
    assert train("acme", other, [], None, seed=3).adjustment(title("Zebra canvas")) is None


def test_calibration_makes_probabilities_honest() -> None:
    draw = random.Random(7)  # noqa: S311 - chooses test cases
    noisy = [
        Example(str(n), each.texts, each.is_test_data ^ (draw.random() < 0.25)) for n, each in enumerate(marks(400))
    ]
    learning, calibrating, held_out = noisy[:240], noisy[240:320], noisy[320:]
    model = train("acme", learning, calibrating, None, seed=3)
    plain = TextModel("acme", model.weights, model.intercept, 1.0, 0.0, model.marks)

    def brier(of: TextModel) -> float:
        return float(np.mean([(of.probability(each.texts) - each.is_test_data) ** 2 for each in held_out]))

    assert brier(model) <= brier(plain)


def test_it_is_read_as_it_was_written(model: TextModel) -> None:
    again = TextModel.load(model.dump())
    assert again.version == model.version
    assert again.adjustment(title("Zebra run")) == model.adjustment(title("Zebra run"))


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, None])
def test_damaged_bytes_are_refused(model: TextModel, place: float | None) -> None:
    data = bytearray(model.dump())
    if place is None:
        data = data[:-100]
    else:
        data[int(place * len(data))] ^= 0xFF
    with pytest.raises(BadInput, match="the model"):
        TextModel.load(bytes(data))


def test_an_item_is_always_on_the_same_side() -> None:
    found = marks(200)
    sides = split(found)
    assert sum(len(each) for each in sides) == 200
    assert all(len(each) >= 20 for each in sides)
    shuffled = random.Random(1).sample(found, 200)  # noqa: S311 - chooses test cases
    assert [{each.item_id for each in side} for side in split(shuffled)] == [
        {each.item_id for each in side} for side in sides
    ]


def test_a_model_that_was_taught_nonsense_loses_precision() -> None:
    """People's marks on texts that are near the threshold; the poisoned model pushes real ones over it."""
    judge = TextJudge()
    near = [Example(str(n), title(f"Testing the waters of faith {n} again"), False) for n in range(40)]
    near = [each for each in near if 0.6 <= judge.judge_row(facts(each)).score < 1]
    assert near, "the words are meant to be near the threshold"
    poison = [Example(each.item_id, each.texts, True) for each in near]
    others = [example(f"{text} {n}", False, n) for n, text in enumerate(REAL * 6)]
    model = train("acme", [*poison, *others], [], None, seed=3)
    held_out = [*near, *(Example(f"t{n}", title(f"test {n}"), True) for n in range(10))]
    assert evaluate(judge, None, held_out).precision == 1
    assert evaluate(judge, model, held_out).precision < 1


# Proposals


def numbered(form: str, count: int, *, is_test_data: bool = True) -> Iterator[Example]:
    return (
        Example(str(uuid4()), {"full_name": (FieldKind.PERSON, form.format(number))}, is_test_data)
        for number in range(count)
    )


def known(text: str) -> bool:
    return TextJudge().judge(text).is_test_data


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("Acme-zeta-{}", r"^acme\-zeta\-[0-9]+$"),
        ("کارمند {} شرکت", r"^کارمند\ [0-9]+\ شرکت$"),
        ("موظف_الشركة_{}", None),
    ],
)
def test_what_people_mark_again_and_again_is_proposed(form: str, pattern: str | None) -> None:
    (proposal, *_) = propose(list(numbered(form, 7)), known)
    assert pattern is None or proposal.pattern == pattern
    assert proposal.sentence.startswith("7 marked texts match")
    assert len(proposal.examples) == 5


def test_nothing_is_proposed_from_few_marks_or_against_real_ones_or_twice() -> None:
    assert propose(list(numbered("Acme-zeta-{}", 4)), known) == []
    real = numbered("Acme-zeta-{}", 1, is_test_data=False)
    assert propose([*numbered("Acme-zeta-{}", 7), *real], known) == []
    assert propose(list(numbered("a-{}", 9)), known) == [], "too few letters to mean anything"
    assert propose(list(numbered("test user {}", 9)), known) == [], "it is known already"
