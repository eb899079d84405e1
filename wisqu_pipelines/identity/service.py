"""The identity service: logins, their refreshes, and the tokens that open one environment each.

Whatever it issues or refuses is a row of `environment_access_log`, written in the transaction that issues or refuses.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import BadInput, LoginFailed, LoginThrottled, NotPermitted, TokenRefused, WisquError
from wisqu_pipelines.identity import passwords
from wisqu_pipelines.identity.keys import ACCESS, KeyRings, environment_purpose
from wisqu_pipelines.identity.limits import LoginLimits
from wisqu_pipelines.identity.matrix import AccessMatrix, Entry
from wisqu_pipelines.identity.models import CentralUser, LoginSession, Notice, RefreshToken, TokenCutoff
from wisqu_pipelines.identity.reasons import check_reason, required_reason
from wisqu_pipelines.identity.tokens import ACCESS_TYPE, ENVIRONMENT_TYPE, Kind, sign, verify
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.hashing import sha256_of
from wisqu_pipelines.settings import Settings

API_AUDIENCE = "wisqu:api"
IDENTITY = "identity"
"""What the audit names instead of an environment, where none is entered."""
REFRESH_BYTES = 32
ADDRESS_CHARACTERS, AGENT_CHARACTERS = 50, 500
"""As wide as the columns."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, as far as that is known."""

    ip_address: str | None = None
    user_agent: str | None = None

    def columns(self) -> dict[str, str | None]:
        """For a row: nothing longer than its column, and nothing that a database cannot keep."""
        return {
            "ip_address": _kept(self.ip_address, ADDRESS_CHARACTERS),
            "user_agent": _kept(self.user_agent, AGENT_CHARACTERS),
        }


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, and by which login."""

    user_id: UUID
    email: str
    full_name: str | None
    session_id: UUID
    entries: tuple[Entry, ...]
    """The environments that they may enter."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a login or a refresh gives out."""

    access_token: str
    access_expires_at: datetime
    refresh_token: str
    refresh_expires_at: datetime
    identity: Identity


@dataclass(frozen=True, slots=True)
class EnvironmentToken:
    """What opens one environment for some minutes."""

    token: str
    environment: str
    role: str
    expires_at: datetime
    redirect_url: str


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A person's tokens for an environment that are older are void."""

    user_id: UUID
    not_before: datetime


def environment_kind(settings: Settings, environment: str) -> Kind:
    """What a token for an environment is: an issuer and an audience of its own."""
    issuer = f"{settings.identity.issuer}/environments/{environment}"
    return Kind(ENVIRONMENT_TYPE, issuer, f"wisqu:environment:{environment}")


class IdentityService:
    """Logs people in, and lets them into environments."""

    def __init__(
        self, control: Database, settings: Settings, rings: KeyRings, limits: LoginLimits, clock: Clock
    ) -> None:
        """Keep logins in `control`, sign with `rings`, and count attempts with `limits`."""
        self._control = control
        self._settings = settings
        self._rings = rings
        self._limits = limits
        self._clock = clock
        self._matrix = AccessMatrix(settings)
        self._access = Kind(ACCESS_TYPE, settings.identity.issuer, API_AUDIENCE)

    def login(self, email: str, password: str, origin: Origin = Origin()) -> Login:
        """Log in with a password.

        The answer is the same, and takes the same work, for an unknown address, a wrong password and a closed account.

        Raises:
            LoginFailed: the address or the password is wrong, the account is closed, or there are no passwords here.
            LoginThrottled: there were too many attempts.
        """
        try:
            self._limits.check(email, origin.ip_address)
        except LoginThrottled as refusal:
            self._write_down_throttled(email, origin, refusal)
            raise
        with self._control.begin() as session:
            found = session.scalar(select(CentralUser).where(func.lower(CentralUser.email) == _searched(email)))
            has_one = self._settings.identity.passwords and found is not None and found.is_active
            kept = found.password_hash if has_one and found is not None else None
        is_right = passwords.matches(password, kept)
        with self._control.begin() as session:
            # Again, and locked: checking a password takes a while, and it may have been changed meanwhile.
            person = None if found is None else session.get_one(CentralUser, found.id, with_for_update=True)
            if is_right and person is not None and person.is_active and person.password_hash == kept:
                if passwords.needs_rehash(str(kept)):
                    person.password_hash = passwords.hash_password(password)
                given = self._begin(session, person, "password", origin)
            else:
                given = None
                about = {"email": _kept(email.strip(), 255)}
                self._write_down(session, person, "login", IDENTITY, origin, success=False, details=about)
        if given is None:
            raise LoginFailed
        self._limits.succeeded(email)
        return given

    def _write_down_throttled(self, email: str, origin: Origin, refusal: LoginThrottled) -> None:
        if not self._limits.is_news("login", email, origin.ip_address):
            return
        about = {"email": _kept(email.strip(), 255), "because": "too many attempts", **refusal.details}
        with self._control.begin() as session:
            person = session.scalar(select(CentralUser).where(func.lower(CentralUser.email) == _searched(email)))
            self._write_down(session, person, "login", IDENTITY, origin, success=False, details=about)

    def login_known(self, person: UUID, method: str, origin: Origin = Origin()) -> Login:
        """Log in somebody whom another authority has identified.

        Args:
            person: Who it is.
            method: Which authority: `oidc`.
            origin: Where the request came from.

        Raises:
            LoginFailed: there is no such active person.
        """
        with self._control.begin() as session:
            found = session.get(CentralUser, person, with_for_update={"read": True})
            given = self._begin(session, found, method, origin) if found is not None and found.is_active else None
        if given is None:
            raise LoginFailed
        return given

    def refresh(self, token: str, origin: Origin = Origin()) -> Login:
        """Exchange a refresh token for new tokens; it is used up by that.

        A token that was used before is in two hands: its whole login ends.

        Raises:
            TokenRefused: it is unknown, expired or used, or its login has ended.
            StoreUnavailable: it is unknown, and whether that is to be written down cannot be told.
        """
        now = self._clock.now()
        hashed = _hash(token)
        with self._control.begin() as session:
            session_id = session.scalar(
                update(RefreshToken)
                .where(RefreshToken.token_hash == hashed, RefreshToken.used_at.is_(None))
                .values(used_at=now)
                .returning(RefreshToken.session_id)
            )
            known = session.get(RefreshToken, hashed, populate_existing=True)
            login = None if known is None else session.get_one(LoginSession, known.session_id, with_for_update=True)
            person = None if login is None else session.get_one(CentralUser, login.user_id)
            reason = _unusable(now, session_id is not None, known, login, person)
            if reason is None and login is not None and person is not None:
                given = self._issue(session, person, login)
                self._write_down(session, person, "login_refreshed", IDENTITY, origin, details=_about(login))
            else:
                given = None
                if login is not None and login.ended_at is None and reason == _USED:
                    login.ended_at, login.ended_because = now, "a refresh token was used twice"
                details = {"because": reason} | ({} if login is None else _about(login))
                # Anybody can send what is no token of ours, as often as they like.
                if known is not None or self._limits.is_news("refresh", "", origin.ip_address):
                    self._write_down(
                        session, person, "login_refreshed", IDENTITY, origin, success=False, details=details
                    )
        if given is None:
            raise TokenRefused(reason=reason)
        return given

    def authenticate(self, token: str) -> Identity:
        """Who brings an access token: their login must not have ended, and they must be active.

        Raises:
            TokenRefused: the token is not valid, or no longer.
        """
        now = self._clock.now()
        claims = verify(token, self._rings[ACCESS].verifying(), self._access, now)
        try:
            session_id = UUID(str(claims.all["sid"]))
        except (KeyError, ValueError):
            raise TokenRefused(reason="it names no login") from None
        with self._control.begin() as session:
            person = session.scalar(
                select(CentralUser)
                .join(LoginSession, LoginSession.user_id == CentralUser.id)
                .where(
                    CentralUser.id == claims.subject,
                    CentralUser.is_active,
                    LoginSession.id == session_id,
                    LoginSession.ended_at.is_(None),
                )
            )
            if person is None:
                raise TokenRefused(reason="its login has ended, or the account is closed")
            return self._identity(person, session_id)

    def environment_token(
        self, who: Identity, environment: str, reason: str | None, origin: Origin = Origin()
    ) -> EnvironmentToken:
        """A token that opens one environment, and no other.

        Raises:
            UnknownEnvironment: there is none of that name.
            NotPermitted: the person may not enter it.
            BadInput: it takes a reason, and what was given is none.
        """
        settings = self._settings.environment(environment)
        now = self._clock.now()
        refusal: WisquError | None = None
        why: str | None = None
        with self._control.begin() as session:
            # Locked, as who takes a role locks the person too: what they void is what was issued before they read the
            # clock, and a token with the role as it was must not be issued after that.
            person = session.get_one(CentralUser, who.user_id, with_for_update={"read": True})
            role = person.role_in(environment, now)
            entry = self._matrix.entry(person, environment, role)
            try:
                why = check_reason(reason)
                if entry is None:
                    raise NotPermitted(
                        person=person.email, act="enter", environment=environment, reason="they have no access to it"
                    )
                if entry.needs_reason:
                    why = required_reason(why, f"entering {environment} as {entry.role}")
            except (BadInput, NotPermitted) as error:
                refusal = error
                details: dict[str, Any] = {"because": type(error).__name__, "session_id": str(who.session_id)}
                self._write_down(
                    session,
                    person,
                    "environment_token",
                    environment,
                    origin,
                    reason=why,
                    success=False,
                    details=details,
                )
            if refusal is None and entry is not None:
                lasts = timedelta(minutes=self._settings.identity.environment_minutes)
                for visit in person.visits:
                    if visit.environment == environment and visit.is_open(now) and visit.expires_at is not None:
                        lasts = min(lasts, visit.expires_at - now)
                token, claims = sign(
                    self._rings[environment_purpose(environment)].signing_key(now),
                    environment_kind(self._settings, environment),
                    person.id,
                    now,
                    lasts,
                    {
                        "environment": environment,
                        "email": person.email,
                        "name": person.full_name,
                        "role": entry.role,
                        "test_accounts": entry.test_accounts,
                        "reason": why,
                        "sid": str(who.session_id),
                    },
                )
                details = {
                    "role": entry.role,
                    "token_id": str(claims.token_id),
                    "session_id": str(who.session_id),
                    "expires_at": claims.expires_at.isoformat(),
                }
                if entry.needs_reason:
                    session.add(
                        Notice(
                            environment=environment,
                            about_user_id=person.id,
                            kind="entry",
                            details={"email": person.email, "role": entry.role, "reason": why},
                            occurred_at=now,
                        )
                    )
                self._write_down(session, person, "environment_token", environment, origin, reason=why, details=details)
                url = f"https://{settings.domain}/auth/callback"
                return EnvironmentToken(token, environment, entry.role, claims.expires_at, url)
        raise refusal or AssertionError(environment)

    def logout(self, who: Identity, *, everywhere: bool = False, origin: Origin = Origin()) -> int:
        """End a login, or all of a person's; returns how many ended."""
        with self._control.begin() as session:
            person = session.get_one(CentralUser, who.user_id)
            ended = end_sessions(
                session, person.id, self._clock.now(), "logged out", None if everywhere else who.session_id
            )
            details = {"sessions": ended, "everywhere": everywhere}
            self._write_down(session, person, "logout", IDENTITY, origin, details=details)
            return ended

    def cutoffs(self, environment: str) -> Sequence[Cutoff]:
        """Whose tokens for an environment are void before their end: what its apps ask for every few seconds."""
        since = self._clock.now() - timedelta(minutes=self._settings.identity.environment_minutes + 1)
        with self._control.begin() as session:
            rows = session.execute(
                select(TokenCutoff.user_id, TokenCutoff.not_before).where(
                    TokenCutoff.environment == environment, TokenCutoff.not_before > since
                )
            )
            return [Cutoff(user, not_before) for user, not_before in rows]

    def _begin(self, session: Session, person: CentralUser, method: str, origin: Origin) -> Login:
        now = self._clock.now()
        login = LoginSession(
            id=uuid4(), user_id=person.id, method=method, started_at=now, expires_at=now, **origin.columns()
        )
        session.add(login)
        session.flush()
        given = self._issue(session, person, login)
        self._write_down(session, person, "login", IDENTITY, origin, details=_about(login) | {"method": method})
        return given

    def _issue(self, session: Session, person: CentralUser, login: LoginSession) -> Login:
        now = self._clock.now()
        refresh = secrets.token_urlsafe(REFRESH_BYTES)
        ends = now + timedelta(days=self._settings.identity.refresh_days)
        session.add(
            RefreshToken(token_hash=_hash(refresh), session_id=login.id, issued_at=now, expires_at=ends, used_at=None)
        )
        login.expires_at = ends
        token, claims = sign(
            self._rings[ACCESS].signing_key(now),
            self._access,
            person.id,
            now,
            timedelta(minutes=self._settings.identity.access_minutes),
            {"sid": str(login.id), "email": person.email},
        )
        return Login(token, claims.expires_at, refresh, ends, self._identity(person, login.id))

    def _identity(self, person: CentralUser, session_id: UUID) -> Identity:
        now = self._clock.now()
        entries = [
            entry
            for each in self._matrix.environments
            if (entry := self._matrix.entry(person, each, person.role_in(each, now))) is not None
        ]
        return Identity(person.id, person.email, person.full_name, session_id, tuple(entries))

    def _write_down(
        self,
        session: Session,
        person: CentralUser | None,
        action: str,
        environment: str,
        origin: Origin,
        *,
        reason: str | None = None,
        success: bool = True,
        details: dict[str, Any],
    ) -> None:
        append(
            session,
            EnvironmentAccess(
                user_id=None if person is None else person.id,
                environment=environment,
                action=action,
                reason=reason,
                details=details,
                success=success,
                occurred_at=self._clock.now(),
                **origin.columns(),
            ),
        )


def end_sessions(session: Session, user_id: UUID, now: datetime, because: str, only: UUID | None = None) -> int:
    """End a person's logins, or one of them; returns how many were not ended before."""
    wanted = [LoginSession.user_id == user_id, LoginSession.ended_at.is_(None)]
    if only is not None:
        wanted.append(LoginSession.id == only)
    ended = session.scalars(
        update(LoginSession).where(*wanted).values(ended_at=now, ended_because=because).returning(LoginSession.id)
    )
    return len(ended.all())


_USED = "it was used before"


def _unusable(
    now: datetime,
    is_first_use: bool,
    known: RefreshToken | None,
    login: LoginSession | None,
    person: CentralUser | None,
) -> str | None:
    """Why a refresh token is not good for anything, or None if it is."""
    if known is None or login is None or person is None:
        return "it is unknown"
    if not is_first_use:
        return _USED
    if known.expires_at <= now:
        return "it has expired"
    if login.ended_at is not None:
        return "its login has ended"
    return None if person.is_active else "the account is closed"


def _about(login: LoginSession) -> dict[str, Any]:
    return {"session_id": str(login.id)}


def _hash(token: str) -> str:
    return sha256_of([token.encode("utf-8", "replace")])


def _searched(email: str) -> str:
    """An address as it is looked for; one that no database could keep is nobody's."""
    return _keepable(email).strip().lower()


def _kept(text: str | None, limit: int) -> str | None:
    """Foreign text that fits into a column; what does not fit is counted, so nothing is cut silently."""
    if text is None:
        return None
    clean = _keepable(text)
    if len(clean) <= limit:
        return clean
    more = f"… ({len(clean)} characters)"
    return clean[: limit - len(more)] + more


def _keepable(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
