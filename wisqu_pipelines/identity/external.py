"""People of another identity provider: who they are here, and which roles their groups give them."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import ExternalLoginFailed
from wisqu_pipelines.identity.administration import checked_email, checked_name, cut_off
from wisqu_pipelines.identity.matrix import AccessMatrix
from wisqu_pipelines.identity.models import CentralUser, ExternalIdentity
from wisqu_pipelines.identity.oidc import ExternalPerson
from wisqu_pipelines.identity.service import IDENTITY, Origin
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import OidcSettings, Settings


class ExternalPeople:
    """Finds, and where the settings say so makes, the person whom a provider has identified."""

    def __init__(self, control: Database, settings: Settings, oidc: OidcSettings, clock: Clock) -> None:
        """Keep people in `control`; `oidc` says what groups mean."""
        self._control = control
        self._oidc = oidc
        self._clock = clock
        self._matrix = AccessMatrix(settings)

    def admit(self, external: ExternalPerson, origin: Origin) -> UUID:
        """The person here; their lasting roles become what their groups say, where the settings map any group.

        A person is known by the provider's name for them, which never changes hands. The e-mail address only serves
        to find them the first time, and never finds somebody who logs in with a password. That somebody is refused is
        written down.

        Raises:
            ExternalLoginFailed: nobody here is that person, or their account is closed.
        """
        with self._control.begin() as session:
            known = session.get(ExternalIdentity, (external.issuer, external.subject))
            person = session.get(CentralUser, known.user_id) if known is not None else self._first(session, external)
            if person is not None and person.is_active:
                session.refresh(person, with_for_update=True)
                if self._oidc.groups:
                    self._give_roles(session, person, external)
                return person.id
            details = {"method": "oidc", "email": external.email[:255], "subject": external.subject[:255]}
            append(
                session,
                EnvironmentAccess(
                    user_id=None if person is None else person.id,
                    environment=IDENTITY,
                    action="login",
                    details=details,
                    success=False,
                    occurred_at=self._clock.now(),
                    **origin.columns(),
                ),
            )
        raise ExternalLoginFailed(provider=external.issuer, reason="nobody here is that person")

    def _first(self, session: Session, external: ExternalPerson) -> CentralUser | None:
        email = checked_email(external.email)
        person = session.scalar(select(CentralUser).where(func.lower(CentralUser.email) == email.lower()))
        if person is not None and (person.password_hash is not None or not person.is_active):
            return None
        if person is None:
            if not self._oidc.creates_people:
                return None
            person = CentralUser(id=uuid4(), email=email, full_name=checked_name(external.full_name))
            session.add(person)
            session.flush()
            self._write_down(session, person, "person_created", IDENTITY, external)
        session.add(ExternalIdentity(issuer=external.issuer, subject=external.subject, user_id=person.id))
        session.flush()
        return person

    def _give_roles(self, session: Session, person: CentralUser, external: ExternalPerson) -> None:
        """The strongest role of each environment: that which the settings name last."""
        order = list(self._matrix.roles)
        wanted: dict[str, str] = {}
        for group, roles in self._oidc.groups.items():
            if group in external.groups:
                for environment, role in roles.items():
                    wanted[environment] = max(role, wanted.get(environment, role), key=order.index)
        for environment in self._matrix.environments:
            before = getattr(person, f"{environment}_role", None) if environment in person.environment_access else None
            after = wanted.get(environment)
            if after == before:
                continue
            person.set_role(environment, after)
            cut_off(session, person.id, environment, self._clock.now())
            action = "role_revoked" if after is None else "role_granted"
            self._write_down(session, person, action, environment, external, role=after, before=before)
        makes = any(self._matrix.makes_test_accounts(role, each) for each, role in wanted.items())
        person.can_create_test_accounts = makes

    def _write_down(
        self,
        session: Session,
        person: CentralUser,
        action: str,
        environment: str,
        external: ExternalPerson,
        **details: Any,
    ) -> None:
        append(
            session,
            EnvironmentAccess(
                user_id=person.id,
                environment=environment,
                action=action,
                reason=f"as {external.issuer} says",
                details={"about": str(person.id), "email": person.email, "subject": external.subject[:255], **details},
                occurred_at=self._clock.now(),
            ),
        )
