"""Changing one's own password, which takes the present one: a token that was stolen must not become an account."""

from uuid import UUID

from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import PasswordRefused
from wisqu_pipelines.identity import passwords
from wisqu_pipelines.identity.administration import cut_off
from wisqu_pipelines.identity.limits import LoginLimits
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.identity.service import IDENTITY, Identity, Origin, end_sessions
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import Settings

ACTION = "own_password_set"


class OwnPasswordService:
    """Lets people change their own password."""

    def __init__(self, control: Database, settings: Settings, limits: LoginLimits, clock: Clock) -> None:
        """Keep passwords in `control`, and count wrong ones with `limits`, as at the login."""
        self._control = control
        self._settings = settings
        self._limits = limits
        self._clock = clock

    def change(self, who: Identity, present: str, new: str, origin: Origin) -> int:
        """Give oneself another password. All of one's logins end, and tokens for environments are void.

        Returns:
            How many logins ended.

        Raises:
            PasswordRefused: the present one is another, or there is none.
            LoginThrottled: there were too many attempts.
            BadInput: the new one is not usable.
        """
        self._limits.check(who.email, origin.ip_address)
        with self._control.begin() as session:
            kept = session.get_one(CentralUser, who.user_id).password_hash
        is_right = passwords.matches(present, kept)
        if is_right:
            self._limits.succeeded(who.email)
            passwords.check(new, who.email, who.full_name or "")
        with self._control.begin() as session:
            # Locked, as at a login: one that is being checked with the old password comes before this or fails.
            person = session.get_one(CentralUser, who.user_id, with_for_update=True)
            changed = is_right and person.is_active and person.password_hash == kept
            ended = self._set(session, person, new) if changed else 0
            self._write_down(session, who.user_id, origin, success=changed, ended=ended)
        if not changed:
            raise PasswordRefused
        return ended

    def _set(self, session: Session, person: CentralUser, new: str) -> int:
        now = self._clock.now()
        person.password_hash = passwords.hash_password(new)
        for environment in self._settings.environments:
            cut_off(session, person.id, environment, now)
        return end_sessions(session, person.id, now, "the password was changed")

    def _write_down(self, session: Session, person: UUID, origin: Origin, *, success: bool, ended: int) -> None:
        append(
            session,
            EnvironmentAccess(
                user_id=person,
                environment=IDENTITY,
                action=ACTION,
                details={"sessions": ended},
                success=success,
                occurred_at=self._clock.now(),
                **origin.columns(),
            ),
        )
