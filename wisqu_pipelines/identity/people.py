"""People: finding them, and asking what they may do where."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import NotPermitted, UnknownPerson
from wisqu_pipelines.identity.models import CentralUser


def find(session: Session, person: str | UUID, *, is_active: bool = True) -> CentralUser:
    """The active person with that id or e-mail address (in any case), or the one whose account is closed.

    Raises:
        UnknownPerson: there is none.
    """
    found = session.scalar(select(CentralUser).where(_named(str(person)), CentralUser.is_active.is_(is_active)))
    if found is None:
        raise UnknownPerson(person=str(person))
    return found


def require_role(person: CentralUser, environment: str, roles: Collection[str], act: str, at: datetime) -> str:
    """The person's role in the environment at a time, if it is one of `roles`.

    Raises:
        NotPermitted: it is not.
    """
    role = person.role_in(environment, at)
    if role is None:
        raise NotPermitted(person=person.email, act=act, environment=environment, reason="they have no access to it")
    if role not in roles:
        raise NotPermitted(
            person=person.email,
            act=act,
            environment=environment,
            reason=f"they are {role} there, and it takes one of: {', '.join(roles)}",
        )
    return role


def permitted(
    control: Database, person: str | UUID, environment: str, roles: Collection[str], act: str, at: datetime
) -> CentralUser:
    """The active person, if their role in the environment is one of `roles`.

    Raises:
        UnknownPerson: there is none.
        NotPermitted: it is not.
    """
    with control.begin() as session:
        found = find(session, person)
        require_role(found, environment, roles, act, at)
        return found


def holders(
    control: Database, environment: str, roles: Collection[str], at: datetime, *, but: UUID | None = None
) -> Sequence[str]:
    """The addresses of the active people who have one of these roles in an environment at a time.

    Args:
        control: Where people are.
        environment: Its name.
        roles: Which.
        at: When.
        but: Somebody to leave out.
    """
    with control.begin() as session:
        active = session.scalars(select(CentralUser).where(CentralUser.is_active).order_by(CentralUser.email))
        return [each.email for each in active if each.role_in(environment, at) in roles and each.id != but]


def address(control: Database, person: UUID | None) -> str | None:
    """The address of somebody, whose account may be closed by now; None: there is nobody of that id."""
    with control.begin() as session:
        found = None if person is None else session.get(CentralUser, person)
        return None if found is None else found.email


def addresses(control: Database, ids: Collection[UUID]) -> Mapping[UUID, str]:
    """The addresses of people, whose accounts may be closed by now; who is not known is left out."""
    with control.begin() as session:
        found = session.execute(select(CentralUser.id, CentralUser.email).where(CentralUser.id.in_(ids)))
        return {row.id: row.email for row in found}


def _named(person: str) -> ColumnElement[bool]:
    try:
        return CentralUser.id == UUID(person)
    except ValueError:
        return func.lower(CentralUser.email) == person.strip().lower()
