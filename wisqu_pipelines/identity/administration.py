"""Who is known, with which roles, and since when not any more. Each change voids what was issued before it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import BadInput, NotPermitted, PersonExists
from wisqu_pipelines.identity import passwords, people
from wisqu_pipelines.identity.matrix import AccessMatrix
from wisqu_pipelines.identity.models import CentralUser, TokenCutoff
from wisqu_pipelines.identity.reasons import check_reason, required_reason
from wisqu_pipelines.identity.service import IDENTITY, end_sessions
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import Settings

SUPERADMIN = "superadmin"
NAME_CHARACTERS = 255
MOST_OF_ADDRESS = 254
"""Characters of an e-mail address (RFC 5321, 4.5.3.1.3, without the brackets)."""
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)
"""What HTML's input of the type `email` takes for an address, with a dot in its domain."""


@dataclass(frozen=True, slots=True)
class PersonInfo:
    """A person as `wisqu users list` shows them."""

    id: UUID
    email: str
    full_name: str | None
    is_active: bool
    roles: dict[str, str]
    """By environment; also those that are held for a time."""
    has_password: bool
    can_create_test_accounts: bool
    created_at: datetime


class PeopleService:
    """Makes people known, and gives and takes roles."""

    def __init__(self, control: Database, settings: Settings, clock: Clock) -> None:
        """Keep people in `control`, by the access matrix of `settings`."""
        self._control = control
        self._settings = settings
        self._clock = clock
        self._matrix = AccessMatrix(settings)

    def bootstrap(self, email: str, full_name: str | None, password: str) -> UUID:
        """Make the first superadmin, where there is none yet: from the command line only.

        Raises:
            NotPermitted: there is a superadmin already, who makes the next one.
            BadInput: the address, the name or the password is not usable.
            PersonExists: there is a person with that address.
        """
        with self._control.begin() as session:
            # One at a time: two first superadmins would each think that they are the only one.
            session.execute(select(func.pg_advisory_xact_lock(func.hashtext("wisqu first superadmin"))))
            everybody = session.scalars(select(CentralUser).where(CentralUser.is_active))
            if any(SUPERADMIN in _lasting(each, self._matrix.environments).values() for each in everybody):
                raise NotPermitted(
                    person="nobody",
                    act="make a first superadmin",
                    environment=f"the {IDENTITY} service",
                    reason="there is one already",
                )
            person = self._add(session, email, full_name, password)
            for environment in self._matrix.environments:
                person.set_role(environment, SUPERADMIN)
            person.can_create_test_accounts = True
            self._write_down(session, None, person, "first_superadmin", IDENTITY, "bootstrap from the command line")
            return person.id

    def create(self, email: str, full_name: str | None, password: str | None, by: str | UUID, reason: str) -> UUID:
        """Make a person known, without any role; returns their id.

        Args:
            email: Their address.
            full_name: Their name.
            password: Or None, for those who log in through another provider.
            by: Who does it: somebody who gives roles somewhere.
            reason: What for.

        Raises:
            UnknownPerson, NotPermitted: whoever does it is unknown, or gives no roles anywhere.
            BadInput: the address, the name, the password or the reason is not usable.
            PersonExists: there is a person with that address.
        """
        why = required_reason(reason, "making a person known")
        with self._control.begin() as session:
            actor = people.find(session, by)
            self._require_giver(actor, "make people known")
            person = self._add(session, email, full_name, password)
            self._write_down(session, actor, person, "person_created", IDENTITY, why)
            return person.id

    def grant(self, email: str | UUID, environment: str, role: str, by: str | UUID, reason: str) -> None:
        """Give a person a lasting role in an environment, instead of the one that they may have there.

        Raises:
            UnknownEnvironment: there is none of that name.
            UnknownPerson: one of the two is unknown.
            BadInput: there is no such role, it cannot be held there, or the reason is not usable.
            NotPermitted: whoever does it may not give that role, or it is for themselves.
        """
        why = required_reason(reason, "giving a role")
        self._settings.environment(environment)
        if role not in self._matrix.roles:
            raise BadInput(what=f"the role '{role}'", reason=f"the roles are {', '.join(self._matrix.roles)}")
        if not self._matrix.may_enter(role, environment):
            raise BadInput(what=f"the role '{role}'", reason=f"it is not held in {environment}, by the access matrix")
        with self._control.begin() as session:
            actor, person = self._both(session, by, email)
            before = person.role_in(environment, self._clock.now())
            self._require_may_give(actor, person, environment, role, before)
            person.set_role(environment, role)
            if any(self._matrix.makes_test_accounts(role, each) for each in self._matrix.environments):
                person.can_create_test_accounts = True
            self._cut_off(session, person, environment)
            self._write_down(session, actor, person, "role_granted", environment, why, role=role, before=before)

    def revoke(self, email: str | UUID, environment: str, by: str | UUID, reason: str) -> None:
        """Take a person's role in an environment away. Their tokens for it are void at once here, and elsewhere as soon
        as they ask: within a minute.

        Raises:
            UnknownEnvironment: there is none of that name.
            UnknownPerson: one of the two is unknown.
            BadInput: they have no lasting role there, or the reason is not usable.
            NotPermitted: whoever does it may not take that role, or it is their own.
        """
        why = required_reason(reason, "taking a role")
        self._settings.environment(environment)
        with self._control.begin() as session:
            actor, person = self._both(session, by, email)
            before = _lasting(person, self._matrix.environments).get(environment)
            if before is None:
                raise BadInput(what="the role", reason=f"{person.email} has no lasting one in {environment}")
            self._require_may_give(actor, person, environment, before, before)
            person.set_role(environment, None)
            self._cut_off(session, person, environment)
            self._write_down(session, actor, person, "role_revoked", environment, why, before=before)

    def disable(self, email: str | UUID, by: str | UUID, reason: str) -> int:
        """Close a person's account: their logins end and they may do nothing any more; returns how many logins ended.

        Raises:
            UnknownPerson: one of the two is unknown, or closed already.
            BadInput: the reason is not usable.
            NotPermitted: whoever does it may not take each of the person's roles, or it is their own account.
        """
        why = required_reason(reason, "closing an account")
        now = self._clock.now()
        with self._control.begin() as session:
            actor, person = self._both(session, by, email)
            self._require_may_give_all(actor, person, "close accounts")
            person.is_active = False
            for environment in self._matrix.environments:
                self._cut_off(session, person, environment)
            ended = end_sessions(session, person.id, now, "the account was closed")
            self._write_down(session, actor, person, "person_disabled", IDENTITY, why, sessions=ended)
            return ended

    def enable(self, email: str | UUID, by: str | UUID, reason: str) -> None:
        """Open a closed account again, with the roles that it had.

        Raises:
            UnknownPerson: one of the two is unknown, or the account is not closed.
            BadInput: the reason is not usable.
            NotPermitted: whoever does it may not give each of the person's roles.
        """
        why = required_reason(reason, "opening an account again")
        with self._control.begin() as session:
            actor = people.find(session, by)
            person = people.find(session, email, is_active=False)
            self._require_may_give_all(actor, person, "open accounts")
            person.is_active = True
            self._write_down(session, actor, person, "person_enabled", IDENTITY, why)

    def set_password(self, email: str | UUID, password: str, by: str | UUID, reason: str) -> None:
        """Give somebody else another password; their logins end, and their tokens for environments are void.

        Raises:
            UnknownPerson: one of the two is unknown.
            BadInput: the password or the reason is not usable.
            NotPermitted: whoever does it may not give each of their roles, or it is their own, which takes the present
                one (`identity/own_password.py`).
        """
        why = check_reason(reason)
        now = self._clock.now()
        with self._control.begin() as session:
            actor, person = self._both(session, by, email)
            if actor.id == person.id:
                own = "it is their own, which 'wisqu password' changes"
                raise NotPermitted(
                    person=actor.email, act="set the password", environment=f"the {IDENTITY} service", reason=own
                )
            self._require_may_give_all(actor, person, "set passwords")
            passwords.check(password, person.email, person.full_name or "")
            person.password_hash = passwords.hash_password(password)
            for environment in self._matrix.environments:
                self._cut_off(session, person, environment)
            ended = end_sessions(session, person.id, now, "the password was changed")
            self._write_down(session, actor, person, "password_set", IDENTITY, why, sessions=ended)

    def list(self) -> Sequence[PersonInfo]:
        """Everybody, by their addresses."""
        now = self._clock.now()
        with self._control.begin() as session:
            return [
                PersonInfo(
                    id=each.id,
                    email=each.email,
                    full_name=each.full_name,
                    is_active=each.is_active,
                    roles={
                        environment: role
                        for environment in self._matrix.environments
                        if (role := each.role_in(environment, now)) is not None
                    },
                    has_password=each.password_hash is not None,
                    can_create_test_accounts=each.can_create_test_accounts,
                    created_at=each.created_at,
                )
                for each in session.scalars(select(CentralUser).order_by(CentralUser.email))
            ]

    def _add(self, session: Session, email: str, full_name: str | None, password: str | None) -> CentralUser:
        address = checked_email(email)
        name = checked_name(full_name)
        if password is not None:
            passwords.check(password, address, name or "")
        person = CentralUser(
            id=uuid4(),
            email=address,
            full_name=name,
            password_hash=None if password is None else passwords.hash_password(password),
        )
        try:
            with session.begin_nested():
                if session.scalar(select(CentralUser.id).where(func.lower(CentralUser.email) == address.lower())):
                    raise PersonExists(email=address)
                session.add(person)
        except IntegrityError:
            raise PersonExists(email=address) from None
        return person

    @staticmethod
    def _both(session: Session, by: str | UUID, email: str | UUID) -> tuple[CentralUser, CentralUser]:
        actor, person = people.find(session, by), people.find(session, email)
        session.refresh(person, with_for_update=True)
        return actor, person

    def _require_giver(self, actor: CentralUser, act: str) -> None:
        now = self._clock.now()
        held = {actor.role_in(each, now) for each in self._matrix.environments}
        if not any(self._matrix.may_give(role, each) for role in held for each in self._matrix.roles):
            raise NotPermitted(
                person=actor.email,
                act=act,
                environment=f"the {IDENTITY} service",
                reason="they have no role that gives roles",
            )

    def _require_may_give_all(self, actor: CentralUser, person: CentralUser, act: str) -> None:
        """The actor must be one who gives each of the person's roles, also one that is held for a time: whoever has
        their password can enter as them. Of somebody who has none, it takes one who gives roles anywhere.
        """
        now, environments = self._clock.now(), self._matrix.environments
        visits = [(each.environment, each.role) for each in person.visits if each.is_open(now)]
        held = [*_lasting(person, environments).items(), *(each for each in visits if each[0] in environments)]
        if not held:
            self._require_giver(actor, act)
        for environment, role in held:
            self._require_may_give(actor, person, environment, role, role)

    def _require_may_give(
        self, actor: CentralUser, person: CentralUser, environment: str, role: str, before: str | None
    ) -> None:
        """The actor must be one who gives both the role and the one that it replaces; and nobody acts on themselves."""
        reason = None
        held = actor.role_in(environment, self._clock.now())
        if actor.id == person.id:
            reason = "it is their own"
        for each in {role, before} - {None}:
            if not self._matrix.may_give(held, str(each)):
                givers = ", ".join(self._matrix.givers(str(each)))
                reason = f"they are {held or 'nothing'} there, and it takes one of: {givers}"
        if reason is not None:
            act = f"decide on the role {role}"
            raise NotPermitted(person=actor.email, act=act, environment=environment, reason=reason)

    def _cut_off(self, session: Session, person: CentralUser, environment: str) -> None:
        cut_off(session, person.id, environment, self._clock.now())

    def _write_down(
        self,
        session: Session,
        actor: CentralUser | None,
        person: CentralUser,
        action: str,
        environment: str,
        reason: str | None,
        **details: Any,
    ) -> None:
        append(
            session,
            EnvironmentAccess(
                user_id=None if actor is None else actor.id,
                environment=environment,
                action=action,
                reason=reason,
                details={"about": str(person.id), "email": person.email, **details},
                occurred_at=self._clock.now(),
            ),
        )


def cut_off(session: Session, user_id: UUID, environment: str, now: datetime) -> None:
    """Void a person's tokens for an environment that were issued until now."""
    session.execute(
        insert(TokenCutoff)
        .values(user_id=user_id, environment=environment, not_before=now)
        .on_conflict_do_update(index_elements=[TokenCutoff.user_id, TokenCutoff.environment], set_={"not_before": now})
    )


def _lasting(person: CentralUser, environments: Sequence[str]) -> dict[str, str]:
    roles = {each: getattr(person, f"{each}_role", None) for each in environments if each in person.environment_access}
    return {each: role for each, role in roles.items() if role is not None}


def checked_email(email: str) -> str:
    """An e-mail address without white space around it.

    Raises:
        BadInput: it is none.
    """
    address = email.strip()
    if len(address) > MOST_OF_ADDRESS or _ADDRESS.fullmatch(address) is None:
        raise BadInput(what="the e-mail address", reason="it is none")
    return address


def checked_name(name: str | None) -> str | None:
    """A name of one line, or None.

    Raises:
        BadInput: it has several, or is too long.
    """
    checked = check_reason(name)
    if checked is not None and (len(checked) > NAME_CHARACTERS or "\n" in checked):
        raise BadInput(what="the name", reason=f"it takes one line of at most {NAME_CHARACTERS} characters")
    return checked
