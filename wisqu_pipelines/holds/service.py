"""Placing holds, and releasing them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.catalog.models import EnvironmentRow, User
from wisqu_pipelines.catalog.users import find_user
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadInput, HoldNotFound, HoldOver, ItemNotFound, UnknownType
from wisqu_pipelines.holds.conditions import held_by, in_force
from wisqu_pipelines.holds.models import LegalHold
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.reasons import required_reason
from wisqu_pipelines.ports.clock import Clock

HOLDERS = ("admin", "superadmin")
"""Roles, held in the environment, that place and release holds."""
TYPES = {str(each.__tablename__): each for each in EnvironmentRow.__subclasses__()}
LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Held:
    """What a hold is of. At least one of the last five is given, and all that are given count together."""

    item_type: str | None = None
    item_id: UUID | None = None
    user_id: UUID | None = None
    words: str | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold, as people see it."""

    id: UUID
    environment: str
    of: Held
    reason: str
    placed_by: UUID
    placed_by_email: str | None
    """None: nobody of that id is known any more."""
    placed_at: datetime
    until: datetime | None
    released_at: datetime | None
    release_reason: str | None
    is_in_force: bool


class HoldService:
    """Holds in one environment. Each placing and release is audited in its own transaction."""

    def __init__(self, control: Database, environment: Environment, clock: Clock) -> None:
        """Hold rows of `environment`, by the word of people whom `control` knows."""
        self._control = control
        self._environment = environment
        self._clock = clock

    def place(
        self, person: str | UUID, of: Held, reason: str, until: datetime | None = None, *, user: str | None = None
    ) -> tuple[UUID, int]:
        """Hold something; returns the hold's id, and how many rows it holds now, deleted ones included.

        Args:
            person: Who says so.
            of: What.
            reason: Why.
            until: When it ends by itself; None: when it is released.
            user: Of everything of this account as well: its id there or its address, also if it is deleted.

        Raises:
            UnknownPerson, NotPermitted: the person may not do it there.
            BadInput: it is of nothing, its end has passed, or the reason says nothing.
            UnknownType, ItemNotFound: there is no such type, item or user.
        """
        now = self._clock.now()
        why = required_reason(reason, "a legal hold")
        who = self._permitted(person)
        with self._environment.database.begin() as session:
            if user is not None:
                of = replace(of, user_id=find_user(session, user, self._environment.name).id)
            self._check(of, until, now)
            self._require_there(session, of)
            made = LegalHold(
                item_type=of.item_type,
                item_id=of.item_id,
                user_id=of.user_id,
                words=of.words,
                created_from=of.created_from,
                created_until=of.created_until,
                reason=why,
                placed_by=who,
                placed_at=now,
                until=until,
            )
            session.add(made)
            session.flush()
            rows = sum(
                session.scalar(select(func.count()).select_from(model).where(held_by(model, made.id))) or 0
                for model in TYPES.values()
            )
            self._write_down(session, "hold_placed", made, who, why, now)
            return made.id, rows

    def release(self, hold_id: UUID, person: str | UUID, reason: str) -> None:
        """End a hold.

        Raises:
            UnknownPerson, NotPermitted: the person may not do it there.
            BadInput: the reason says nothing.
            HoldNotFound, HoldOver: there is no such hold, or it has ended.
        """
        now = self._clock.now()
        why = required_reason(reason, "the release of a hold")
        who = self._permitted(person)
        with self._environment.database.begin() as session:
            hold = session.get(LegalHold, hold_id, with_for_update=True)
            if hold is None:
                raise HoldNotFound(hold_id=str(hold_id), environment=self._environment.name)
            if hold.released_at is not None:
                raise HoldOver(hold_id=str(hold_id), environment=self._environment.name)
            hold.released_by, hold.released_at, hold.release_reason = who, now, why
            session.flush()
            self._write_down(session, "hold_released", hold, who, why, now)

    def list(self, *, everything: bool = False) -> Sequence[Hold]:
        """The holds that count now, or all there ever were, newest first."""
        now = self._clock.now()
        wanted = select(LegalHold, in_force(now)).order_by(LegalHold.placed_at.desc(), LegalHold.id)
        if not everything:
            wanted = wanted.where(in_force(now))
        with self._environment.database.begin() as session:
            found = session.execute(wanted).all()
            known = people.addresses(self._control, {hold.placed_by for hold, _ in found})
            return [
                Hold(
                    id=hold.id,
                    environment=self._environment.name,
                    of=_of(hold),
                    reason=hold.reason,
                    placed_by=hold.placed_by,
                    placed_by_email=known.get(hold.placed_by),
                    placed_at=hold.placed_at,
                    until=hold.until,
                    released_at=hold.released_at,
                    release_reason=hold.release_reason,
                    is_in_force=counts,
                )
                for hold, counts in found
            ]

    def _permitted(self, person: str | UUID) -> UUID:
        name, act = self._environment.name, "place and release holds"
        return people.permitted(self._control, person, name, HOLDERS, act, self._clock.now()).id

    @staticmethod
    def _check(of: Held, until: datetime | None, now: datetime) -> None:
        if of == Held(item_type=of.item_type):
            raise BadInput(what="the hold", reason="say what it is of: an item, a user, words, or a time")
        if of.item_id is not None and of.item_type is None:
            raise BadInput(what="the hold", reason="an item is named by its type and its id")
        if of.item_type is not None and of.item_type not in TYPES:
            raise UnknownType(name=of.item_type, known=sorted(TYPES))
        if of.words is not None and not 1 <= len(of.words.strip()) <= LONGEST_WORDS:
            raise BadInput(what="the words", reason=f"they are between 1 and {LONGEST_WORDS} characters")
        if of.words is not None and "\x00" in of.words:
            raise BadInput(what="the words", reason="they have a NUL character")
        if until is not None and until <= now:
            raise BadInput(what="the end of the hold", reason="it has passed already")

    def _require_there(self, session: Session, of: Held) -> None:
        wanted = [(of.item_type, of.item_id), (str(User.__tablename__), of.user_id)]
        for kind, id_ in wanted:
            if kind is not None and id_ is not None and session.get(TYPES[kind], id_) is None:
                raise ItemNotFound(type=kind, item_id=str(id_), environment=self._environment.name)

    def _write_down(
        self, session: Session, action: str, hold: LegalHold, who: UUID, reason: str, now: datetime
    ) -> None:
        told = {name: str(value) for name in Held.__slots__ if (value := getattr(hold, name)) is not None}
        append(
            session,
            DeveloperAction(
                developer_id=who,
                environment=self._environment.name,
                action=action,
                reason=reason,
                details={"hold_id": str(hold.id), **told},
                occurred_at=now,
            ),
        )


def _of(hold: LegalHold) -> Held:
    return Held(hold.item_type, hold.item_id, hold.user_id, hold.words, hold.created_from, hold.created_until)
