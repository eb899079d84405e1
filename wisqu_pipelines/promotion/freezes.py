"""Closed paths: freezes that people declare, and holds that a failed verification places.

A closed path lets no execution begin and none publish; a rollback always goes, and so does the rest of a promotion that
has been published. A freeze gives way to two people's word for one promotion; a hold only to a person who releases it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NoReturn
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import (
    BadInput,
    FreezeNotFound,
    FreezeRefused,
    PathClosed,
    PathFrozen,
    PathHeld,
    PromotionRefused,
)
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.identity.reasons import check_reason
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.promotion.freeze_models import FreezeOverride, FreezeWindow, PathHold
from wisqu_pipelines.promotion.ledger import Ledger
from wisqu_pipelines.promotion.models import Promotion, PromotionState
from wisqu_pipelines.promotion.windows import OneOff, Recurring, When, shown
from wisqu_pipelines.settings import PathSettings, Settings

NOT_HAPPENED = frozenset(
    {PromotionState.PLANNED, PromotionState.APPROVED, PromotionState.EXECUTING, PromotionState.FAILED}
)
"""The states in which a freeze can still stand in a promotion's way."""


class Override(StrEnum):
    """How far the word of two people is that a promotion may go in spite of a freeze."""

    ASKED = "asked"
    CONFIRMED = "confirmed"


class Kind(StrEnum):
    """How often a freeze is in force."""

    ONCE = "once"
    RECURRING = "recurring"


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze as people see it."""

    freeze_id: UUID
    path: str
    when: str
    """Its times as a sentence; the next six are what it says."""
    kind: Kind
    starts_at: datetime | None
    """None, as `ends_at`: it is recurring."""
    ends_at: datetime | None
    cron: str | None
    """When it begins each time, five fields by the clocks of `time_zone`. None, as `duration_minutes`: it is once."""
    duration_minutes: int | None
    time_zone: str
    in_force_until: datetime | None
    """None: it is not in force now."""
    reason: str
    made_by: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class HeldPath:
    """A path's hold that nobody has released yet."""

    path: str
    promotion_id: UUID
    reason: str
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class InForce:
    """An occurrence of a freeze."""

    window: FreezeWindow
    until: datetime
    """UTC."""


class FreezeService:
    """Closes and opens paths. Everything is audited in the transaction that does it."""

    def __init__(self, control: Database, settings: Settings, clock: Clock) -> None:
        """Keep freezes in `control`, for the paths of `settings`."""
        self._control = control
        self._settings = settings
        self._clock = clock
        self._ledger = Ledger(control, clock)

    def add(self, path: str, when: When, person: str | UUID, reason: str) -> UUID:
        """Freeze a path, once or again and again; returns the freeze's id.

        Args:
            path: As in the settings: `stage->prod`.
            when: In which times.
            person: Who does it; their role in the target must be one that approves on the path.
            reason: What for.

        Raises:
            UnknownEnvironment, PathRefused: there is no such path.
            UnknownPerson, NotPermitted: the person is unknown or has no role that approves.
            BadInput: there is no reason, or the times are not usable.
        """
        why = _required(reason)
        settings = self._path(path)
        now = self._clock.now()
        when.check(now)
        with self._control.begin() as session:
            user, role = _approver(session, person, settings, f"freeze {settings.name}", self._clock.now())
            window = FreezeWindow(
                id=uuid4(), path=settings.name, reason=why, created_by_user_id=user.id, created_at=now, **_columns(when)
            )
            session.add(window)
            session.flush()
            _write_down(
                session, "path_frozen", settings.target, why, now, user, role, freeze_id=window.id, when=str(when)
            )
            return window.id

    def end(self, freeze_id: UUID, person: str | UUID, reason: str) -> None:
        """Take a freeze away, as a person who approves on its path.

        Raises:
            FreezeNotFound, FreezeRefused: there is no such freeze, or it was taken away before.
            UnknownPerson, NotPermitted: the person is unknown or has no role that approves.
            BadInput: there is no reason.
        """
        why = _required(reason)
        now = self._clock.now()
        with self._control.begin() as session:
            window = session.get(FreezeWindow, freeze_id, with_for_update=True)
            if window is None:
                raise FreezeNotFound(freeze_id=str(freeze_id))
            settings = self._path(window.path)
            user, role = _approver(session, person, settings, f"end a freeze of {settings.name}", self._clock.now())
            if window.ended_at is not None:
                raise FreezeRefused(freeze_id=str(freeze_id), act="ended", reason="it was ended before")
            window.ended_at, window.ended_by_user_id, window.end_reason = now, user.id, why
            session.flush()
            _write_down(session, "freeze_ended", settings.target, why, now, user, role, freeze_id=window.id)

    def list(self, path: str | None = None, *, ended: bool = False) -> Sequence[Freeze]:
        """The freezes of a path or of all, the oldest first; those that are over only with `ended`."""
        wanted = select(FreezeWindow).order_by(FreezeWindow.created_at, FreezeWindow.id)
        if path is not None:
            wanted = wanted.where(FreezeWindow.path == self._path(path).name)
        now = self._clock.now()
        with self._control.begin() as session:
            windows = session.scalars(wanted).all()
            names = _addresses(session)
            return [_freeze(each, names, now) for each in windows if ended or not _over(each, now)]

    def get(self, freeze_id: UUID) -> Freeze:
        """One freeze, also one that is over.

        Raises:
            FreezeNotFound: there is no such freeze.
        """
        with self._control.begin() as session:
            window = session.get(FreezeWindow, freeze_id)
            if window is None:
                raise FreezeNotFound(freeze_id=str(freeze_id))
            return _freeze(window, _addresses(session), self._clock.now())

    def override(self, promotion_id: UUID, person: str | UUID, reason: str) -> Override:
        """Say that a promotion may go in spite of the freezes that are in force: one person asks, another confirms.

        It is for these occurrences of these freezes only, and counts while both people hold a role that approves.

        Raises:
            PromotionNotFound, PromotionRefused: there is no such promotion, it waits for no freeze, or this person has
                asked already.
            UnknownPerson, NotPermitted: the person is unknown or has no role that approves on the path.
            BadInput: there is no reason.
        """
        why = _required(reason)
        now = self._clock.now()
        with self._control.begin() as session:
            promotion = self._ledger.get(session, promotion_id, lock=True)
            settings = self._settings.path(promotion.source_environment, promotion.target_environment)
            user, role = _approver(session, person, settings, "let a promotion through a freeze", self._clock.now())
            if promotion.state not in NOT_HAPPENED:
                _refuse_override(promotion, f"it is {promotion.state}")
            freezes = in_force(session, settings.name, now)
            if not freezes:
                _refuse_override(promotion, f"{settings.name} is not frozen now")
            said = [_say(session, promotion, freeze, user, why, now) for freeze in freezes]
            if not any(said):
                _refuse_override(promotion, f"{user.email} has said so already, and it takes a second person")
            session.flush()
            for override, freeze in zip(said, freezes, strict=True):
                if override is not None:
                    _write_down(
                        session, f"freeze_override_{override}", settings.target, why, now, user, role,
                        freeze_id=freeze.window.id, promotion_id=promotion.id, until=freeze.until,
                    )  # fmt: skip
            return Override.ASKED if Override.ASKED in said else Override.CONFIRMED

    def holds(self, path: str | None = None) -> Sequence[HeldPath]:
        """What holds a path, or any, the oldest first."""
        with self._control.begin() as session:
            return [
                HeldPath(each.path, each.promotion_id, each.reason, each.placed_at)
                for each in _holds(session, None if path is None else self._path(path).name)
            ]

    def release(self, path: str, person: str | UUID, reason: str) -> Sequence[UUID]:
        """Open a held path, as a person who approves on it; returns the promotions that held it.

        Raises:
            UnknownEnvironment, PathRefused: there is no such path.
            UnknownPerson, NotPermitted: the person is unknown or has no role that approves.
            BadInput: there is no reason, or nothing holds the path.
        """
        why = _required(reason)
        settings = self._path(path)
        now = self._clock.now()
        with self._control.begin() as session:
            user, role = _approver(session, person, settings, f"release {settings.name}", self._clock.now())
            holds = _holds(session, settings.name, lock=True)
            if not holds:
                raise BadInput(what=f"a release of {settings.name}", reason="nothing holds it")
            for hold in holds:
                hold.released_at, hold.released_by_user_id, hold.release_reason = now, user.id, why
            session.flush()
            for hold in holds:
                _write_down(
                    session, "path_released", settings.target, why, now, user, role, promotion_id=hold.promotion_id
                )
            return [hold.promotion_id for hold in holds]

    @staticmethod
    def hold(session: Session, path: str, promotion_id: UUID, reason: str, now: datetime) -> None:
        """Hold a path because a promotion along it did not pass its verification; again is no error.

        Args:
            session: The transaction that writes down the failed verification.
            path: The path's name.
            promotion_id: The promotion that did not pass.
            reason: What was found, as a sentence.
            now: The time.
        """
        placed = session.execute(
            insert(PathHold)
            .values(id=uuid4(), path=path, promotion_id=promotion_id, reason=reason, placed_at=now)
            .on_conflict_do_nothing()
            .returning(PathHold.id)
        ).scalar()
        if placed is not None:
            target = path.partition("->")[2]
            _write_down(session, "path_held", target, reason, now, promotion_id=promotion_id)

    def _path(self, name: str) -> PathSettings:
        source, _, target = (part.strip() for part in name.partition("->"))
        return self._settings.path(source, target)


def check_open(session: Session, promotion: Promotion, path: PathSettings, now: datetime) -> None:
    """Refuse to execute a promotion along a path that is closed to it: at the claim, and again before it is published.

    Not for rollbacks, and not for what has been published: both always go.

    Raises:
        PathHeld: a promotion along the path did not pass its verification, and nobody has released the path since.
        PathFrozen: a freeze is in force, and no two people have let this promotion through.
    """
    if (closed := closed_to(session, promotion, path, now)) is not None:
        raise closed


def closed_to(session: Session, promotion: Promotion, path: PathSettings, now: datetime) -> PathClosed | None:
    """What `check_open` would raise; None if the path is open to the promotion."""
    for hold in _holds(session, path.name):
        return PathHeld(
            promotion_id=str(promotion.id), path=path.name, holding_id=str(hold.promotion_id), reason=hold.reason
        )
    for freeze in in_force(session, path.name, now):
        if not _let_through(session, promotion, freeze, path, now):
            return PathFrozen(
                promotion_id=str(promotion.id),
                path=path.name,
                until=shown(freeze.until, freeze.window.time_zone),
                reason=freeze.window.reason,
                freeze_id=str(freeze.window.id),
                said=_said(session, promotion, freeze),
            )
    return None


def _said(session: Session, promotion: Promotion, freeze: InForce) -> str:
    """Who has asked for a promotion's passage, for whoever may confirm it; nothing if nobody waits for that."""
    override = session.get(FreezeOverride, (promotion.id, freeze.window.id, freeze.until))
    if override is None or override.confirmed_by_user_id is not None:
        return ""
    asker = session.get_one(CentralUser, override.asked_by_user_id)
    return f" {asker.email} has said so ({override.reason}), and another one has not yet."


def in_force(session: Session, path: str, now: datetime) -> Sequence[InForce]:
    """The freezes that are in force on a path, that which lasts longest first."""
    windows = session.scalars(select(FreezeWindow).where(FreezeWindow.path == path, FreezeWindow.ended_at.is_(None)))
    found = [InForce(each, until) for each in windows if (until := _when(each).until(now)) is not None]
    return sorted(found, key=lambda each: (each.until, each.window.id), reverse=True)


def _let_through(session: Session, promotion: Promotion, freeze: InForce, path: PathSettings, now: datetime) -> bool:
    """Whether two people have said so who still hold a role that approves."""
    override = session.get(FreezeOverride, (promotion.id, freeze.window.id, freeze.until), populate_existing=True)
    if override is None or override.confirmed_by_user_id is None:
        return False
    both = (override.asked_by_user_id, override.confirmed_by_user_id)
    users = session.scalars(
        select(CentralUser).where(CentralUser.id.in_(both)).execution_options(populate_existing=True)
    )
    return sum(user.role_in(path.target, now) in path.approver_roles for user in users) == len(both)


def _say(
    session: Session, promotion: Promotion, freeze: InForce, user: CentralUser, reason: str, now: datetime
) -> Override | None:
    """Ask for a promotion's passage, or confirm it; None if this person can add nothing to it."""
    override = session.get(FreezeOverride, (promotion.id, freeze.window.id, freeze.until))
    if override is None:
        session.add(
            FreezeOverride(
                promotion_id=promotion.id,
                freeze_id=freeze.window.id,
                expires_at=freeze.until,
                asked_by_user_id=user.id,
                asked_at=now,
                reason=reason,
            )
        )
        return Override.ASKED
    if override.confirmed_by_user_id is not None or override.asked_by_user_id == user.id:
        return None
    override.confirmed_by_user_id, override.confirmed_at, override.confirm_reason = user.id, now, reason
    return Override.CONFIRMED


def _refuse_override(promotion: Promotion, reason: str) -> NoReturn:
    raise PromotionRefused(promotion_id=str(promotion.id), act="let through a freeze", reason=reason)


def _approver(
    session: Session, person: str | UUID, path: PathSettings, act: str, now: datetime
) -> tuple[CentralUser, str]:
    user = people.find(session, person)
    return user, people.require_role(user, path.target, path.approver_roles, act, now)


def _required(reason: str) -> str:
    why = check_reason(reason)
    if why is None:
        raise BadInput(what="the reason", reason="there is none")
    return why


def _holds(session: Session, path: str | None, *, lock: bool = False) -> Sequence[PathHold]:
    wanted = select(PathHold).where(PathHold.released_at.is_(None)).order_by(PathHold.placed_at, PathHold.id)
    if path is not None:
        wanted = wanted.where(PathHold.path == path)
    return session.scalars(wanted.with_for_update() if lock else wanted).all()


def _columns(when: When) -> dict[str, object]:
    if isinstance(when, OneOff):
        return {"starts_at": when.starts_at, "ends_at": when.ends_at, "time_zone": when.time_zone}
    minutes = when.duration // timedelta(minutes=1)
    return {"cron": when.cron, "duration_minutes": minutes, "time_zone": when.time_zone}


def _when(window: FreezeWindow) -> When:
    if window.cron is not None and window.duration_minutes is not None:
        return Recurring(window.cron, timedelta(minutes=window.duration_minutes), window.time_zone)
    if window.starts_at is None or window.ends_at is None:
        raise FreezeRefused(freeze_id=str(window.id), act="reckoned", reason="it has no times")
    return OneOff(window.starts_at, window.ends_at, window.time_zone)


def _over(window: FreezeWindow, now: datetime) -> bool:
    return window.ended_at is not None or (window.ends_at is not None and window.ends_at <= now)


def _addresses(session: Session) -> dict[UUID, str]:
    return {each.id: each.email for each in session.execute(select(CentralUser.id, CentralUser.email))}


def _freeze(window: FreezeWindow, names: dict[UUID, str], now: datetime) -> Freeze:
    when = _when(window)
    return Freeze(
        freeze_id=window.id,
        path=window.path,
        when=str(when),
        kind=Kind.ONCE if isinstance(when, OneOff) else Kind.RECURRING,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        cron=window.cron,
        duration_minutes=window.duration_minutes,
        time_zone=window.time_zone,
        in_force_until=None if window.ended_at is not None else when.until(now),
        reason=window.reason,
        made_by=names[window.created_by_user_id],
        created_at=window.created_at,
        ended_at=window.ended_at,
        ended_by=names[window.ended_by_user_id] if window.ended_by_user_id else None,
        end_reason=window.end_reason,
    )


def _write_down(
    session: Session,
    action: str,
    environment: str,
    reason: str,
    now: datetime,
    user: CentralUser | None = None,
    role: str | None = None,
    **details: object,
) -> None:
    append(
        session,
        EnvironmentAccess(
            user_id=user.id if user else None,
            environment=environment,
            action=action,
            reason=reason,
            details={"role": role, **{name: str(value) for name, value in details.items()}},
            occurred_at=now,
        ),
    )
