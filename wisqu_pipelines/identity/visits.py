"""Access for a time: somebody asks, somebody else lets them in, and it ends by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import BadInput, GrantNotFound, GrantRefused, NotPermitted
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.administration import cut_off
from wisqu_pipelines.identity.matrix import AccessMatrix
from wisqu_pipelines.identity.models import AccessGrant, CentralUser, GrantState, Notice
from wisqu_pipelines.identity.reasons import required_reason
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import Settings


@dataclass(frozen=True, slots=True)
class Visit:
    """Access for a time, as people see it."""

    id: UUID
    email: str
    environment: str
    role: str
    hours: int
    reason: str
    state: str
    """`requested`, `granted`, `refused`, `ended`, or `expired`: over by itself."""
    requested_at: datetime
    decided_by: str | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class EntryNotice:
    """Somebody entered an environment that takes a reason."""

    environment: str
    email: str
    role: str
    reason: str | None
    occurred_at: datetime


class VisitService:
    """Takes requests for access, and lets people in for a time."""

    def __init__(self, control: Database, settings: Settings, clock: Clock) -> None:
        """Keep requests in `control`, by the access matrix of `settings`."""
        self._control = control
        self._settings = settings
        self._clock = clock
        self._matrix = AccessMatrix(settings)

    def request(self, person: str | UUID, environment: str, hours: int, reason: str, role: str = "developer") -> UUID:
        """Ask to be let into an environment for some hours; returns the request's id.

        Raises:
            UnknownEnvironment: there is none of that name.
            UnknownPerson: the person is unknown.
            BadInput: the hours, the role or the reason is not usable, they are in already, or have asked already.
        """
        why = required_reason(reason, "asking for access")
        self._settings.environment(environment)
        longest = self._settings.identity.longest_visit_hours
        if not 1 <= hours <= longest:
            raise BadInput(what=f"a visit of {hours} hours", reason=f"it takes 1 to {longest}")
        if role not in self._matrix.roles or not self._matrix.may_enter(role, environment):
            raise BadInput(what=f"the role '{role}'", reason=f"it is not held in {environment}, by the access matrix")
        now = self._clock.now()
        with self._control.begin() as session:
            user = people.find(session, person)
            session.refresh(user, with_for_update=True)  # two requests at once are two in a row
            if (held := user.role_in(environment, now)) is not None:
                raise BadInput(what="the request", reason=f"{user.email} is {held} in {environment} already")
            waiting = select(AccessGrant.id).where(
                AccessGrant.user_id == user.id,
                AccessGrant.environment == environment,
                AccessGrant.state == GrantState.REQUESTED,
            )
            if (waits := session.scalar(waiting)) is not None:
                raise BadInput(what="the request", reason=f"{user.email} waits for an answer to {waits} already")
            grant = AccessGrant(
                id=uuid4(),
                user_id=user.id,
                environment=environment,
                role=role,
                hours=hours,
                reason=why,
                state=GrantState.REQUESTED,
                requested_at=now,
            )
            session.add(grant)
            session.flush()
            self._write_down(session, user, grant, "access_requested", why, hours=hours)
            return grant.id

    def grant(self, grant_id: UUID, by: str | UUID) -> datetime:
        """Let the requester in from now on; returns until when.

        Raises:
            GrantNotFound, GrantRefused: there is no such request, or it was answered before.
            UnknownPerson, NotPermitted: whoever does it is unknown, may not give that role, or asked for it themselves.
        """
        now = self._clock.now()
        with self._control.begin() as session:
            grant, actor = self._answering(session, grant_id, by, "granted")
            grant.state, grant.decided_at, grant.decided_by = GrantState.GRANTED, now, actor.id
            grant.expires_at = now + grant.lasts
            session.flush()
            until = grant.expires_at
            self._write_down(session, actor, grant, "access_granted", None, until=until.isoformat())
            return until

    def refuse(self, grant_id: UUID, by: str | UUID, reason: str) -> None:
        """Say no to a request.

        Raises:
            GrantNotFound, GrantRefused: there is no such request, or it was answered before.
            UnknownPerson, NotPermitted: whoever does it is unknown, may not give that role, or asked for it themselves.
            BadInput: the reason is not usable.
        """
        why = required_reason(reason, "refusing access")
        with self._control.begin() as session:
            grant, actor = self._answering(session, grant_id, by, "refused")
            grant.state, grant.decided_at, grant.decided_by = GrantState.REFUSED, self._clock.now(), actor.id
            session.flush()
            self._write_down(session, actor, grant, "access_refused", why)

    def end(self, grant_id: UUID, by: str | UUID, reason: str) -> None:
        """End access before its time: one's own, or as somebody who gives that role.

        Raises:
            GrantNotFound, GrantRefused: there is no such request, or it is not open.
            UnknownPerson, NotPermitted: whoever does it is unknown, or may not give that role.
            BadInput: the reason is not usable.
        """
        why = required_reason(reason, "ending access")
        with self._control.begin() as session:
            grant = self._get(session, grant_id)
            actor = people.find(session, by)
            # A token that is being issued comes before this, and is void after it.
            session.get_one(CentralUser, grant.user_id, with_for_update=True)
            now = self._clock.now()
            if actor.id != grant.user_id:
                self._require_giver(actor, grant, "end this access", now)
            if not grant.is_open(now):
                self._refuse(grant, "ended", f"it is {_state(grant, now)}")
            grant.state, grant.ended_at, grant.ended_by = GrantState.ENDED, now, actor.id
            cut_off(session, grant.user_id, grant.environment, now)
            self._write_down(session, actor, grant, "access_ended", why)

    def list(self, environment: str | None = None) -> Sequence[Visit]:
        """All requests, newest first.

        Args:
            environment: Only for this one.
        """
        now = self._clock.now()
        decider = aliased(CentralUser)
        wanted = (
            select(AccessGrant, CentralUser.email, decider.email)
            .join(CentralUser, CentralUser.id == AccessGrant.user_id)
            .outerjoin(decider, decider.id == AccessGrant.decided_by)
            .order_by(AccessGrant.requested_at.desc(), AccessGrant.id)
        )
        if environment is not None:
            wanted = wanted.where(AccessGrant.environment == self._settings.environment(environment).name)
        with self._control.begin() as session:
            return [
                Visit(
                    each.id,
                    email,
                    each.environment,
                    each.role,
                    each.hours,
                    each.reason,
                    _state(each, now),
                    each.requested_at,
                    decided_by,
                    each.expires_at,
                )
                for each, email, decided_by in session.execute(wanted)
            ]

    def notices(self, environment: str, by: str | UUID, limit: int = 100) -> Sequence[EntryNotice]:
        """Who entered an environment and why, newest first: for those who give roles there.

        Raises:
            UnknownEnvironment: there is none of that name.
            UnknownPerson, NotPermitted: whoever asks is unknown, or gives no roles there.
        """
        self._settings.environment(environment)
        with self._control.begin() as session:
            actor = people.find(session, by)
            held = actor.role_in(environment, self._clock.now())
            if not any(self._matrix.may_give(held, each) for each in self._matrix.roles):
                raise NotPermitted(
                    person=actor.email,
                    act="read who entered",
                    environment=environment,
                    reason="they have no role there that gives roles",
                )
            wanted = select(Notice).where(Notice.environment == environment).order_by(Notice.occurred_at.desc())
            return [
                EntryNotice(
                    each.environment,
                    each.details["email"],
                    each.details["role"],
                    each.details["reason"],
                    each.occurred_at,
                )
                for each in session.scalars(wanted.limit(limit))
            ]

    @staticmethod
    def _get(session: Session, grant_id: UUID) -> AccessGrant:
        grant = session.get(AccessGrant, grant_id, with_for_update=True)
        if grant is None:
            raise GrantNotFound(grant_id=str(grant_id))
        return grant

    def _answering(self, session: Session, grant_id: UUID, by: str | UUID, act: str) -> tuple[AccessGrant, CentralUser]:
        grant = self._get(session, grant_id)
        actor = people.find(session, by)
        if actor.id == grant.user_id:
            raise NotPermitted(
                person=actor.email,
                act="answer this request",
                environment=grant.environment,
                reason="they asked for it themselves",
            )
        self._require_giver(actor, grant, "answer this request", self._clock.now())
        if grant.state != GrantState.REQUESTED:
            self._refuse(grant, act, f"it is {_state(grant, self._clock.now())}")
        return grant, actor

    def _require_giver(self, actor: CentralUser, grant: AccessGrant, act: str, now: datetime) -> None:
        held = actor.role_in(grant.environment, now)
        if not self._matrix.may_give(held, grant.role):
            givers = ", ".join(self._matrix.givers(grant.role))
            raise NotPermitted(
                person=actor.email,
                act=act,
                environment=grant.environment,
                reason=f"they are {held or 'nothing'} there, and it takes one of: {givers}",
            )

    @staticmethod
    def _refuse(grant: AccessGrant, act: str, reason: str) -> NoReturn:
        raise GrantRefused(grant_id=str(grant.id), act=act, reason=reason)

    def _write_down(
        self, session: Session, actor: CentralUser, grant: AccessGrant, action: str, reason: str | None, **details: Any
    ) -> None:
        append(
            session,
            EnvironmentAccess(
                user_id=actor.id,
                environment=grant.environment,
                action=action,
                reason=reason,
                details={"grant_id": str(grant.id), "about": str(grant.user_id), "role": grant.role, **details},
                occurred_at=self._clock.now(),
            ),
        )


def _state(grant: AccessGrant, now: datetime) -> str:
    expired = grant.state == GrantState.GRANTED and not grant.is_open(now)
    return "expired" if expired else str(GrantState(grant.state))
