"""A small model of what people mark: character n-grams, weighted by logistic regression, calibrated on marks held out.

It adds to a row's score or takes from it, within bounds, and says which n-grams made it. A row on which a person has
decided is not judged at all.
"""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wisqu_pipelines.detection.evidence import Evidence, FieldKind
from wisqu_pipelines.detection.normalising import normalise
from wisqu_pipelines.errors import BadInput

Texts = Mapping[str, tuple[FieldKind, str]]
"""A row's texts with their kinds, by field."""
Numbers = npt.NDArray[np.float32]
FEATURES = 2**18
"""Places of the hashed n-grams."""
SHORTEST, LONGEST = 2, 5
"""Characters of an n-gram."""
CHARACTERS = 2_000
"""Of each text that are read."""
MOST = 0.4
"""What the model may add or take at most."""
SURE = 0.15
"""How far from one half a probability must be for the model to say anything."""
KNOWN_SHARE = 0.3
"""Of how many of a row's n-grams the model must have seen some in training."""
PASSES = 8
"""Times the marks are gone through."""
NAMED = 3
"""N-grams that an explanation names."""
FORMAT = 1
GROUP = "model"


@dataclass(frozen=True, slots=True)
class Example:
    """A row that a person has decided on."""

    item_id: str
    texts: Texts
    is_test_data: bool


@dataclass(frozen=True, eq=False)
class TextModel:
    """What was learnt from people's marks in one organisation."""

    organisation: str
    weights: Numbers
    """Of each feature: above zero for test data; zero: never seen."""
    intercept: float
    slope: float
    offset: float
    """With `slope`, Platt's calibration of the decision: p = 1 / (1 + exp(-(slope * d + offset)))."""
    marks: int
    """From how many."""

    @property
    def version(self) -> str:
        """Names the weights: the same on every machine."""
        hashed = hashlib.sha256(np.ascontiguousarray(self.weights, "<f4").tobytes())
        hashed.update(repr((self.intercept, self.slope, self.offset)).encode())
        return f"{self.organisation}-{self.marks}-{hashed.hexdigest()[:12]}"

    def probability(self, texts: Texts) -> float:
        """How likely it is that a row with these texts is test data, as far as the model knows."""
        return self._calibrated(_decision(self.weights, self.intercept, _features(texts)))

    def adjustment(self, texts: Texts) -> Evidence | None:
        """What it adds to a row's score, at most `MOST` either way; None where it is not sure or knows too little."""
        found = _features(texts)
        known = sum(count for (place, _), count in found.items() if self.weights[place])
        if not found or known < KNOWN_SHARE * sum(found.values()):
            return None
        probability = self._calibrated(_decision(self.weights, self.intercept, found))
        if abs(probability - 0.5) < SURE:
            return None
        weight = round(MOST * (2 * probability - 1), 4)
        sign = 1 if weight > 0 else -1
        strongest = sorted(found.items(), key=lambda each: -sign * float(self.weights[each[0][0]]) * each[1])[:NAMED]
        named = [gram for (place, gram), _ in strongest if sign * self.weights[place] > 0]
        return Evidence(
            recogniser=self.version,
            group=GROUP,
            field=", ".join(texts),
            weight=weight,
            found=" ".join(repr(each) for each in named),
            explanation=f"people marked what holds these n-grams as {'test' if sign > 0 else 'real'} data",
        )

    def dump(self) -> bytes:
        """The model as bytes that hold nothing but numbers."""
        written = io.BytesIO()
        places = np.flatnonzero(self.weights).astype("<u4")
        head = json.dumps(
            {
                "format": FORMAT,
                "organisation": self.organisation,
                "intercept": self.intercept,
                "slope": self.slope,
                "offset": self.offset,
                "marks": self.marks,
                "version": self.version,
            }
        ).encode()
        np.savez_compressed(
            written, head=np.frombuffer(head, np.uint8), places=places, values=self.weights[places].astype("<f4")
        )
        return written.getvalue()

    @classmethod
    def load(cls, data: bytes) -> "TextModel":
        """A model from its bytes.

        Raises:
            BadInput: they are not a model's, or not whole.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as read:
                head = json.loads(read["head"].tobytes())
                weights = np.zeros(FEATURES, np.float32)
                weights[read["places"]] = read["values"]
            model = cls(
                head["organisation"], weights, head["intercept"], head["slope"], head["offset"], int(head["marks"])
            )
            whole = head["format"] == FORMAT and head["version"] == model.version
        except Exception as error:
            raise BadInput(what="the model", reason=f"it cannot be read ({type(error).__name__})") from None
        if not whole:
            raise BadInput(what="the model", reason="its numbers are not those that were written")
        return model

    def _calibrated(self, decision: float) -> float:
        return float(1 / (1 + np.exp(-np.clip(self.slope * decision + self.offset, -30, 30))))


def train(
    organisation: str,
    examples: Sequence[Example],
    calibrating: Sequence[Example],
    previous: TextModel | None,
    seed: int,
) -> TextModel:
    """Learn from examples, going on from an earlier model.

    Args:
        organisation: Whose.
        examples: What it learns from; both kinds.
        calibrating: Examples that it has not learnt from.
        previous: Where it goes on.
        seed: Chooses the order of the examples.
    """
    from sklearn.linear_model import SGDClassifier  # noqa: PLC0415 - three seconds to import, and few processes learn

    rows = [_features(each.texts) for each in examples]
    labels = np.array([each.is_test_data for each in examples])
    learner = SGDClassifier(loss="log_loss", alpha=1e-4, random_state=seed)
    matrix = _matrix(rows)
    shares = np.where(labels, (~labels).sum(), labels.sum()) / max(1, len(labels))  # the rarer kind counts as much
    if previous is not None:
        learner.partial_fit(matrix[:1], labels[:1], classes=[False, True])
        learner.coef_[0], learner.intercept_[0] = previous.weights, previous.intercept
    order = np.random.default_rng(seed)
    for _ in range(PASSES):
        places = order.permutation(len(rows))
        learner.partial_fit(matrix[places], labels[places], classes=[False, True], sample_weight=shares[places] * 2)
    weights = learner.coef_[0].astype(np.float32)
    intercept = float(learner.intercept_[0])
    slope, offset = _calibration(weights, intercept, calibrating)
    return TextModel(organisation, weights, intercept, slope, offset, len(examples) + len(calibrating))


def _calibration(weights: Numbers, intercept: float, examples: Sequence[Example]) -> tuple[float, float]:
    """Platt's slope and offset; those that change nothing where there is too little to learn them from."""
    labels = [each.is_test_data for each in examples]
    if min(Counter([*labels, True, False]).values()) < 3:
        return 1.0, 0.0
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - as above

    decisions = np.array([[_decision(weights, intercept, _features(each.texts))] for each in examples])
    fitted = LogisticRegression(C=1.0).fit(decisions, labels)
    slope = float(fitted.coef_[0][0])
    return (slope, float(fitted.intercept_[0])) if slope > 0 else (1.0, 0.0)


def _features(texts: Texts) -> Counter[tuple[int, str]]:
    """The n-grams of texts, each with its place; the same n-gram in another kind of field is another feature."""
    found: Counter[tuple[int, str]] = Counter()
    for kind, text in texts.values():
        for gram in _grams(normalise(text[:CHARACTERS])):
            hashed = hashlib.blake2b(f"{kind}\x1f{gram}".encode("utf-8", "replace"), digest_size=4).digest()
            found[int.from_bytes(hashed, "big") % FEATURES, gram] += 1
    return found


def _grams(text: str) -> Iterator[str]:
    for word in text.split():
        padded = f" {word} "
        for size in range(SHORTEST, LONGEST + 1):
            yield from (padded[at : at + size] for at in range(len(padded) - size + 1))


def _matrix(rows: Sequence[Counter[tuple[int, str]]]) -> Any:
    """Rows of features, each of length one."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - as above

    starts, places, values = [0], [], []
    for row in rows:
        length = float(np.sqrt(sum(count * count for count in row.values()))) or 1.0
        places += [place for place, _ in row]
        values += [count / length for count in row.values()]
        starts.append(len(places))
    return csr_matrix((values, places, starts), shape=(len(rows), FEATURES), dtype=np.float64)


def _decision(weights: Numbers, intercept: float, row: Counter[tuple[int, str]]) -> float:
    length = float(np.sqrt(sum(count * count for count in row.values()))) or 1.0
    return intercept + sum(float(weights[place]) * count for (place, _), count in row.items()) / length
