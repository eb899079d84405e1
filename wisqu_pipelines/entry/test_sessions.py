"""Logins of developers' test accounts: the only accounts that have a password in an environment of their own.

A session is a key of the environment's Redis, below its account's, so that all of an account's end together. Whether
the account is still there is read each time.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from wisqu_pipelines.accounts.removal import SESSIONS
from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccessLog
from wisqu_pipelines.catalog.models import User
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.entry.user import EnvironmentUser
from wisqu_pipelines.errors import LoginFailed
from wisqu_pipelines.identity import passwords
from wisqu_pipelines.identity.service import Origin
from wisqu_pipelines.ports.cache import Cache
from wisqu_pipelines.ports.clock import Clock

PREFIX = "wts_"
"""What a session's token begins with; no signed token does. The account's id follows, and what nobody can guess."""
RANDOM_BYTES = 32
LONGEST = timedelta(hours=8)
_TOKEN = re.compile(rf"{PREFIX}([0-9a-f]{{32}})[A-Za-z0-9_-]{{43}}")
SHORTEST = timedelta(milliseconds=1)
"""What Redis can keep."""
TEST_LOGIN = "test_login"
"""The audit's access type."""
UNKNOWN = Origin()
LOG = structlog.get_logger("wisqu.entry")


class TestSessions:
    """The sessions of one environment's test accounts."""

    __test__ = False  # pytest takes it for one of its own

    def __init__(self, database: Database, sessions: Cache, clock: Clock) -> None:
        """Read accounts from `database`, and keep their sessions in `sessions`."""
        self._database = database
        self._sessions = sessions
        self._clock = clock

    def login(self, email: str, password: str, origin: Origin = UNKNOWN) -> tuple[str, datetime]:
        """Log a test account in; returns the session's token and its end.

        The answer is the same, and takes the same work, for an unknown address, a wrong password and an account whose
        time is over.

        Raises:
            LoginFailed: it is one of those.
            StoreUnavailable, StoreDenied, StoreFailed: a store does not answer; nobody is logged in.
        """
        wanted = email.replace("\x00", "\ufffd").encode("utf-8", "replace").decode().strip().lower()
        with self._database.begin() as session:
            found = session.scalar(select(User).where(User.email == wanted, *_live(self._clock.now())))
            account_id, kept = (None, None) if found is None else (found.id, found.password_hash)
        if not passwords.matches(password, kept) or account_id is None:
            LOG.info("login of a test account refused")
            raise LoginFailed
        with self._database.begin() as session:
            # Again, and locked: checking a password takes a while, and the account may have been deleted meanwhile.
            account = session.get(User, account_id, with_for_update=True, populate_existing=True)
            now = self._clock.now()
            if account is None or not _is_live(account, now) or account.password_hash != kept:
                raise LoginFailed
            ends = min(now + LONGEST, account.test_expires_at or now)
            token = f"{PREFIX}{account.id.hex}{secrets.token_urlsafe(RANDOM_BYTES)}"
            account.last_login, account.login_count = now, account.login_count + 1
            session.flush()
            self._write_down(session, account, ends, origin)
            lasts = max(ends - now, SHORTEST)
            # Last: if the stores disagree, there is a session too few.
            self._sessions.set(_key(account.id, token), ends.isoformat().encode(), ttl=lasts)
            return token, ends

    def find(self, token: str) -> EnvironmentUser | None:
        """Whose session a token is; None if it is nobody's, or nobody's any more.

        Raises:
            StoreUnavailable, StoreDenied, StoreFailed: a store does not answer.
        """
        user_id = _account_of(token)
        kept = None if user_id is None else self._sessions.get(_key(user_id, token))
        if user_id is None or kept is None:
            return None
        ends = datetime.fromisoformat(kept.decode())
        now = self._clock.now()
        if ends <= now:
            return None
        with self._database.begin() as session:
            account = session.scalar(select(User).where(User.id == user_id, *_live(now)))
            if account is None or account.test_expires_at is None:
                return None
            return EnvironmentUser(
                id=account.id,
                email=account.email,
                role=account.role,
                is_test_account=True,
                test_accounts=False,
                reason=None,
                expires_at=min(ends, account.test_expires_at),
                token_id=_digest(token),
            )

    def end(self, token: str) -> bool:
        """End one session; whether there was one."""
        user_id = _account_of(token)
        return user_id is not None and self._sessions.delete(_key(user_id, token)) > 0

    def end_all(self, user_id: UUID) -> int:
        """End all sessions of an account; returns how many there were.

        Raises:
            StoreUnavailable, StoreDenied, StoreFailed: the cache does not answer.
        """
        return self._sessions.delete_prefix(f"{SESSIONS}{user_id}/")

    def _write_down(self, session: Session, account: User, ends: datetime, origin: Origin) -> None:
        developer = account.created_by_developer
        append(
            session,
            EnvironmentAccessLog(
                user_id=account.id,
                environment=account.environment,
                access_type=TEST_LOGIN,
                details={
                    "email": account.email,
                    "created_by_developer": None if developer is None else str(developer),
                    "expires_at": ends.isoformat(),
                },
                occurred_at=self._clock.now(),
                **origin.columns(),
            ),
        )


def _live(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return User.is_test_account.is_(True), User.is_deleted.is_(False), User.test_expires_at > now


def _is_live(account: User, now: datetime) -> bool:
    ends = account.test_expires_at
    return account.is_test_account and not account.is_deleted and ends is not None and ends > now


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _key(user_id: UUID, token: str) -> str:
    return f"{SESSIONS}{user_id}/{_digest(token)}"


def _account_of(token: str) -> UUID | None:
    """Whose session a token says it is; None if it has not the form of one."""
    found = _TOKEN.fullmatch(token)
    return None if found is None else UUID(found[1])
