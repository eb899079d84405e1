"""What people teach detection: patterns of their own, exceptions, and what their marks come to."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.detection.models import DetectorException, DetectorPattern, DetectorProposal
from wisqu_pipelines.detection.normalising import normalise
from wisqu_pipelines.detection.patterns import compile_pattern
from wisqu_pipelines.detection.reading import sample
from wisqu_pipelines.errors import BadInput, RuleNotFound
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import Settings

TEACHERS = ("developer", "admin", "superadmin")
"""Who may teach: their role in the environment whose rows a new pattern is tried on."""
Given = TypeVar("Given", DetectorPattern, DetectorException)


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern or an exception that is in force."""

    rule_id: UUID
    phrase: str
    is_pattern: bool
    reason: str
    given_by: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Proposed:
    """A pattern that people's marks suggest."""

    pattern: str
    sentence: str
    examples: Sequence[str]
    proposed_at: datetime


class Teaching:
    """Keeps what people teach, in the control database. Everything is audited in the transaction that does it."""

    def __init__(
        self,
        control: Database,
        open_sample: Callable[[], AbstractContextManager[Session]],
        settings: Settings,
        clock: Clock,
    ) -> None:
        """Keep it in `control`; `open_sample` opens the environment in whose rows new patterns are tried."""
        self._control = control
        self._open_sample = open_sample
        self._settings = settings
        self._clock = clock

    def add_pattern(self, pattern: str, person: str | UUID, reason: str) -> UUID:
        """Let a pattern (RE2) speak for test data from the next scan on; returns its id.

        Args:
            pattern: Is searched in normalised text: lower case, digits 0-9, words apart.
            person: Who adds it.
            reason: Why.

        Raises:
            UnknownPerson, NotPermitted: the person is unknown, or no developer or admin.
            BadInput: the reason is missing; the pattern does not compile, matches the empty string, matches too much of
                the sample, or is there already.
        """
        why = _required(reason)
        with self._control.begin() as session:
            teacher = self._teacher(session, person)
            self._try(pattern)
            return self._add(session, teacher, DetectorPattern(id=uuid4(), pattern=pattern, reason=why))

    def add_exception(self, phrase: str, person: str | UUID, reason: str, *, is_pattern: bool = False) -> UUID:
        """Let texts be real from the next scan on, whatever they look like; returns the exception's id.

        Args:
            phrase: A whole text, or a pattern (RE2) that is searched in normalised text.
            person: Who adds it.
            reason: Why.
            is_pattern: Which of the two.

        Raises:
            UnknownPerson, NotPermitted: the person is unknown, or no developer or admin.
            BadInput: the reason is missing, the phrase is empty or does not compile, or it is there already.
        """
        why = _required(reason)
        if is_pattern:
            compile_pattern(phrase)
        elif not normalise(phrase).strip():
            raise BadInput(what="the exception", reason="it has no letters and no digits")
        with self._control.begin() as session:
            teacher = self._teacher(session, person)
            return self._add(
                session, teacher, DetectorException(id=uuid4(), phrase=phrase, is_pattern=is_pattern, reason=why)
            )

    def remove(self, rule_id: UUID, person: str | UUID, reason: str) -> None:
        """Take a pattern or an exception away.

        Raises:
            RuleNotFound: no such pattern or exception is in force.
            UnknownPerson, NotPermitted: the person is unknown, or no developer or admin.
            BadInput: the reason is missing.
        """
        why = _required(reason)
        with self._control.begin() as session:
            teacher = self._teacher(session, person)
            for model in (DetectorPattern, DetectorException):
                removed = session.execute(
                    update(model)
                    .where(model.id == rule_id, model.removed_at.is_(None))
                    .values(removed_at=self._clock.now(), removed_by_user_id=teacher.id)
                    .returning(model.id)
                ).scalar()
                if removed is not None:
                    self._write_down(session, teacher, f"{_what(model)}_removed", why, rule_id=str(rule_id))
                    return
        raise RuleNotFound(rule_id=str(rule_id))

    def patterns(self) -> list[Rule]:
        """The patterns in force, the oldest first."""
        with self._control.begin() as session:
            return [
                Rule(row.id, row.pattern, is_pattern=True, reason=row.reason, given_by=email, given_at=row.created_at)
                for row, email in _in_force(session, DetectorPattern)
            ]

    def exceptions(self) -> list[Rule]:
        """The exceptions in force, the oldest first."""
        with self._control.begin() as session:
            return [
                Rule(row.id, row.phrase, row.is_pattern, row.reason, email, row.created_at)
                for row, email in _in_force(session, DetectorException)
            ]

    def proposals(self) -> list[Proposed]:
        """The proposals that nobody has decided on."""
        with self._control.begin() as session:
            found = session.scalars(
                select(DetectorProposal)
                .where(DetectorProposal.decided_at.is_(None))
                .order_by(DetectorProposal.proposed_at, DetectorProposal.pattern)
            )
            return [Proposed(each.pattern, each.sentence, each.examples, each.proposed_at) for each in found]

    def propose(self, proposals: Sequence[Any]) -> int:
        """Keep proposals that are not known yet, whatever became of those; returns how many are new."""
        with self._control.begin() as session:
            added = 0
            for each in proposals:
                statement = upsert(DetectorProposal).values(
                    pattern=each.pattern,
                    sentence=each.sentence,
                    examples=list(each.examples),
                    proposed_at=self._clock.now(),
                )
                made = session.execute(statement.on_conflict_do_nothing().returning(DetectorProposal.pattern))
                added += made.scalar() is not None
            return added

    def decide(self, pattern: str, person: str | UUID, reason: str, *, is_accepted: bool) -> None:
        """Accept a proposal, which makes it a pattern in force, or refuse it for good.

        Raises:
            RuleNotFound: no such proposal waits.
            UnknownPerson, NotPermitted: the person is unknown, or no developer or admin.
            BadInput: the reason is missing, or the pattern cannot be taken (as in `add_pattern`).
        """
        why = _required(reason)
        with self._control.begin() as session:
            teacher = self._teacher(session, person)
            proposal = session.get(DetectorProposal, pattern, with_for_update=True)
            if proposal is None or proposal.decided_at is not None:
                raise RuleNotFound(rule_id=pattern)
            proposal.decided_at, proposal.decided_by_user_id = self._clock.now(), teacher.id
            proposal.is_accepted = is_accepted
            if is_accepted:
                self._try(pattern)
                self._add(session, teacher, DetectorPattern(id=uuid4(), pattern=pattern, reason=why))
            else:
                self._write_down(session, teacher, "detector_proposal_refused", why, pattern=pattern)

    def _try(self, pattern: str) -> None:
        """Match a pattern against real rows before it counts."""
        compiled = compile_pattern(pattern)
        detection = self._settings.detection
        with self._open_sample() as session:
            total = matched = 0
            first = ""
            for row in sample(session, detection.sample_rows):
                total += 1
                hit = next((each for each in row if compiled.search(normalise(each))), None)
                matched += hit is not None
                first = first or hit or ""
        if total and matched / total > detection.sample_share:
            name = self._settings.sample_environment
            raise BadInput(
                what=f"the pattern '{pattern}'",
                reason=f"it matches {matched} of {total} rows of {name} that nobody marked, the first of them "
                f"'{first}', and at most {detection.sample_share:.1%} are allowed",
            )

    def _teacher(self, session: Session, person: str | UUID) -> CentralUser:
        found = people.find(session, person)
        people.require_role(found, self._environment, TEACHERS, "teach detection", self._clock.now())
        return found

    @property
    def _environment(self) -> str:
        return self._settings.sample_environment

    def _add(self, session: Session, teacher: CentralUser, rule: DetectorPattern | DetectorException) -> UUID:
        rule.created_by_user_id, rule.created_at = teacher.id, self._clock.now()
        phrase = rule.pattern if isinstance(rule, DetectorPattern) else rule.phrase
        if _is_in_force(session, rule):
            raise BadInput(what=f"'{phrase}'", reason="it is in force already")
        session.add(rule)
        session.flush()
        self._write_down(
            session, teacher, f"{_what(type(rule))}_added", rule.reason, rule_id=str(rule.id), phrase=phrase
        )
        return rule.id

    def _write_down(self, session: Session, teacher: CentralUser, action: str, reason: str, **details: Any) -> None:
        append(
            session,
            EnvironmentAccess(
                user_id=teacher.id,
                environment=self._environment,
                action=action,
                reason=reason,
                details=details,
                occurred_at=self._clock.now(),
            ),
        )


def _in_force(session: Session, model: type[Given]) -> Iterator[tuple[Given, str]]:
    """The rules in force with the e-mail addresses of who gave them."""
    rows = session.execute(
        select(model, CentralUser.email)
        .join(CentralUser, CentralUser.id == model.created_by_user_id)
        .where(model.removed_at.is_(None))
        .order_by(model.created_at, model.id)
    )
    yield from ((rule, email) for rule, email in rows)


def _is_in_force(session: Session, rule: DetectorPattern | DetectorException) -> bool:
    if isinstance(rule, DetectorPattern):
        return any(each.pattern == rule.pattern for each, _ in _in_force(session, DetectorPattern))
    return any(
        (each.phrase, each.is_pattern) == (rule.phrase, rule.is_pattern)
        for each, _ in _in_force(session, DetectorException)
    )


def _what(model: type[DetectorPattern | DetectorException]) -> str:
    return "detector_pattern" if model is DetectorPattern else "detector_exception"


def _required(reason: str) -> str:
    if not reason.strip():
        raise BadInput(what="the reason", reason="it is empty")
    return reason.strip()
