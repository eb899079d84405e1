"""Learning from what people said of items, in every environment, when somebody asks for it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.catalog.models import TestDataMark
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.detection.context import RowFacts
from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.detection.fields import model_named, text_fields
from wisqu_pipelines.detection.models import DetectorModel
from wisqu_pipelines.detection.proposing import propose
from wisqu_pipelines.detection.recogniser import STRONG
from wisqu_pipelines.detection.teaching import TEACHERS, Teaching
from wisqu_pipelines.detection.text_model import Example, TextModel, train
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.identity import people
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import Settings

LEAST_MARKS = 30
"""Marks below which nothing is learnt."""
LEAST_OF_EACH = 8
"""Of test data, and of what is real."""
SEED = 1
_MARKS = select(TestDataMark).order_by(TestDataMark.item_type, TestDataMark.item_id)


@dataclass(frozen=True, slots=True)
class Score:
    """How whole decisions (patterns and model together) fare on marks that were held out."""

    precision: float
    recall: float
    marks: int

    @property
    def sentence(self) -> str:
        """The score in words."""
        return f"precision {self.precision:.3f}, recall {self.recall:.3f} on {self.marks} marks held out"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What learning came to."""

    version: str
    is_used: bool
    """Whether it has a say from now on."""
    score: Score
    before: Score
    """The same marks, judged as before."""
    proposed: int
    """New patterns that were proposed."""

    @property
    def sentence(self) -> str:
        """What came of it, in words."""
        said = "has a say now" if self.is_used else "is not used: it would lose precision"
        return f"{self.version} {said} ({self.score.sentence}; before: {self.before.sentence})"


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A model that was trained at some time."""

    version: str
    is_used: bool
    trained_at: datetime
    evaluation: Mapping[str, Mapping[str, float]]

    @property
    def sentence(self) -> str:
        """Its evaluation in words."""
        new, old = self.evaluation["new"], self.evaluation["old"]
        return f"precision {new['precision']:.3f} (before {old['precision']:.3f}), recall {new['recall']:.3f}"


class Lessons:
    """Trains and keeps the organisation's models."""

    def __init__(
        self,
        control: Database,
        environments: Mapping[str, Environment],
        teaching: Teaching,
        settings: Settings,
        clock: Clock,
    ) -> None:
        """Learn from the marks in `environments`, keep models in `control`, and hand proposals to `teaching`."""
        self._control = control
        self._environments = environments
        self._teaching = teaching
        self._settings = settings
        self._clock = clock

    def used(self) -> TextModel | None:
        """The model that has a say, if there is one.

        Raises:
            BadInput: its bytes in the control database are damaged.
        """
        with self._control.begin() as session:
            data = session.scalar(
                select(DetectorModel.data).where(
                    DetectorModel.organisation == self._organisation, DetectorModel.is_used
                )
            )
        return None if data is None else TextModel.load(data)

    def learn(self, person: str | UUID) -> Lesson:
        """Train a model on all marks but those that are held out, and let it have a say if decisions lose no precision.

        Raises:
            UnknownPerson, NotPermitted: the person is unknown, or no developer or admin.
            BadInput: there are too few marks.
        """
        with self._control.begin() as session:
            self._teacher(session, person)
        examples = list(self._examples())
        tests = sum(each.is_test_data for each in examples)
        if len(examples) < LEAST_MARKS or min(tests, len(examples) - tests) < LEAST_OF_EACH:
            raise BadInput(
                what="what people have marked until now",
                reason=f"it is {tests} marks of test data and {len(examples) - tests} of real items; to learn takes "
                f"{LEAST_MARKS}, and {LEAST_OF_EACH} of each",
            )
        learning, calibrating, held_out = split(examples)
        before = self.used()
        after = train(self._organisation, learning, calibrating, before, SEED)
        patterns = TextJudge()
        old, new = (evaluate(patterns, model, held_out) for model in (before, after))
        is_used = new.precision >= old.precision
        self._keep(person, after, old, new, is_used=is_used)
        found = propose(examples, lambda text: patterns.judge(text).is_test_data)
        return Lesson(after.version, is_used, new, old, self._teaching.propose(found))

    def models(self) -> list[KeptModel]:
        """All models, the newest first."""
        with self._control.begin() as session:
            found = session.scalars(
                select(DetectorModel)
                .where(DetectorModel.organisation == self._organisation)
                .order_by(DetectorModel.trained_at.desc())
            )
            return [KeptModel(each.version, each.is_used, each.trained_at, each.evaluation) for each in found]

    def use(self, version: str | None, person: str | UUID, reason: str) -> None:
        """Let an earlier model have a say, or none.

        Raises:
            UnknownPerson, NotPermitted: the person is unknown, or no developer or admin.
            BadInput: there is no such model, or no reason.
        """
        if not reason.strip():
            raise BadInput(what="the reason", reason="it is empty")
        with self._control.begin() as session:
            user = self._teacher(session, person)
            if version is not None and session.get(DetectorModel, (version, self._organisation)) is None:
                reason = "there is none of that version; 'wisqu detect models' shows those that there are"
                raise BadInput(what=f"the model '{version}'", reason=reason)
            self._switch(session, version)
            self._write_down(session, user, "detector_model_chosen", reason.strip(), version=version or "none")

    def _examples(self) -> Iterator[Example]:
        for name in self._environments:
            with self._environments[name].database.snapshot() as session:
                for mark in session.scalars(_MARKS):
                    fields = text_fields(model_named(mark.item_type))
                    texts = {
                        field: (kind, str(mark.texts[field])) for field, kind in fields.items() if mark.texts.get(field)
                    }
                    if texts:
                        yield Example(f"{name}/{mark.item_type}/{mark.item_id}", texts, mark.is_test_data)

    def _keep(self, person: str | UUID, model: TextModel, old: Score, new: Score, *, is_used: bool) -> None:
        with self._control.begin() as session:
            user = self._teacher(session, person)
            kept = DetectorModel(
                version=model.version,
                organisation=self._organisation,
                data=model.dump(),
                evaluation={"new": asdict(new), "old": asdict(old)},
                trained_at=self._clock.now(),
                is_used=False,
            )
            session.merge(kept)
            session.flush()
            if is_used:
                self._switch(session, model.version)
            action = "detector_model_trained" if is_used else "detector_model_rejected"
            self._write_down(session, user, action, new.sentence, version=model.version)

    def _switch(self, session: Session, version: str | None) -> None:
        ours = DetectorModel.organisation == self._organisation
        session.execute(update(DetectorModel).where(ours, DetectorModel.is_used).values(is_used=False))
        if version is not None:
            session.execute(update(DetectorModel).where(ours, DetectorModel.version == version).values(is_used=True))

    @property
    def _organisation(self) -> str:
        return self._settings.detection.organisation

    def _teacher(self, session: Session, person: str | UUID) -> UUID:
        found = people.find(session, person)
        people.require_role(found, self._settings.sample_environment, TEACHERS, "teach detection", self._clock.now())
        return found.id

    def _write_down(self, session: Session, user: UUID, action: str, reason: str, **details: str) -> None:
        append(
            session,
            EnvironmentAccess(
                user_id=user,
                environment=self._settings.sample_environment,
                action=action,
                reason=reason,
                details=details,
                occurred_at=self._clock.now(),
            ),
        )


def split(examples: Sequence[Example]) -> tuple[list[Example], list[Example], list[Example]]:
    """Examples to learn from, to calibrate with, and to hold out: three, one and one of five. An item is always on the
    same side, so that what one model learnt from never tests another.
    """
    sides: tuple[list[Example], list[Example], list[Example]] = ([], [], [])
    for each in examples:
        place = hashlib.sha256(each.item_id.encode()).digest()[0] % 5
        sides[0 if place < 3 else place - 2].append(each)
    return sides


def evaluate(patterns: TextJudge, model: TextModel | None, held_out: Sequence[Example]) -> Score:
    """How decisions by patterns and a model fare on marks.

    Args:
        patterns: What judges without a model.
        model: What adds to its scores; None: nothing.
        held_out: Marks that the model has not learnt from.
    """
    right = wrong = missed = 0
    for each in held_out:
        score = patterns.judge_row(facts(each)).score
        adjustment = None if model is None else model.adjustment(each.texts)
        is_test = score + (adjustment.weight if adjustment else 0.0) >= STRONG
        right += is_test and each.is_test_data
        wrong += is_test and not each.is_test_data
        missed += each.is_test_data and not is_test
    return Score(
        precision=right / (right + wrong) if right + wrong else 1.0,
        recall=right / (right + missed) if right + missed else 1.0,
        marks=len(held_out),
    )


def facts(example: Example) -> RowFacts:
    """An example as a judge takes it."""
    return RowFacts(
        item_type="row",
        texts={name: text for name, (_, text) in example.texts.items()},
        kinds={name: kind for name, (kind, _) in example.texts.items()},
    )
