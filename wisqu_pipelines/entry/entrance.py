"""Who is let into an environment: whoever brings a token of this environment that is still good, and no other."""

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

from anyio import to_thread

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.entry.arrivals import Arrival, Arrivals
from wisqu_pipelines.entry.feed import Feed
from wisqu_pipelines.entry.test_sessions import PREFIX, TestSessions
from wisqu_pipelines.entry.user import EnvironmentUser
from wisqu_pipelines.entry.verified import MOST, Verified, VerifiedTokens
from wisqu_pipelines.errors import FeedStale, TokenRefused
from wisqu_pipelines.identity.service import Origin
from wisqu_pipelines.identity.tokens import Claims, Kind, verify
from wisqu_pipelines.ports.clock import Clock

LOOKED_AT_EVERY = timedelta(seconds=20)
"""How often the row of somebody who is in is read again: one that is deleted here is out as soon as one whose access is
taken centrally."""
ADDRESS_CHARACTERS, NAME_CHARACTERS, ROLE_CHARACTERS = 255, 255, 50
"""As wide as the columns."""


class Entrance:
    """The entrance of one environment."""

    def __init__(
        self,
        environment: str,
        kind: Kind,
        database: Database,
        feed: Feed,
        clock: Clock,
        test_sessions: TestSessions | None = None,
        most_remembered: int = MOST,
    ) -> None:
        """Let people in.

        Args:
            environment: The environment's name.
            kind: What its tokens are; `identity.service.environment_kind` says it.
            database: The environment's own.
            feed: What the identity service says.
            clock: Says when tokens end.
            test_sessions: The logins of its test accounts. None: it knows none.
            most_remembered: How many verified tokens are remembered.
        """
        self.feed = feed
        self._environment = environment
        self._kind = kind
        self._arrivals = Arrivals(environment, database, clock)
        self._clock = clock
        self._test_sessions = test_sessions
        self._verified = VerifiedTokens(most_remembered)

    def remembered(self, token: str) -> EnvironmentUser | None:
        """Whose token it is, if that is known without asking anybody; `admit` says it otherwise, or why not."""
        now = self._clock.now()
        known = self._verified.find(_digest(token), now)
        if known is None or abs(now - known.looked_at) > LOOKED_AT_EVERY:
            return None
        try:
            if known.keys is not self.feed.keys():
                return None
            self._check_cutoff(known.user.id, known)
        except (FeedStale, TokenRefused):
            return None
        return known.user

    async def admit(self, token: str, origin: Origin) -> EnvironmentUser:
        """Let in whoever brings a token.

        Raises:
            TokenRefused: it is not valid, or no longer.
            EntryRefused: it is, but its person may not enter.
            FeedStale: whether it is cannot be told now.
            StoreUnavailable, StoreDenied, StoreFailed: a store does not answer.
        """
        if token.startswith(PREFIX):
            return await self._test_account(token)
        try:
            keys = self.feed.keys()
        except FeedStale:
            await to_thread.run_sync(self.feed.start)  # the first use, or its thread has ended with a fork
            keys = self.feed.keys()
        looked_at = self._clock.now()
        claims = verify(token, keys, self._kind, looked_at)
        arrival = _arrival(claims, self._environment)
        self._check_cutoff(arrival.user_id, arrival)
        await to_thread.run_sync(self._arrivals.record, arrival, origin)
        user = EnvironmentUser(
            id=arrival.user_id,
            email=arrival.email,
            role=arrival.role,
            is_test_account=False,
            test_accounts=claims.all["test_accounts"],
            reason=arrival.reason,
            expires_at=claims.expires_at,
            token_id=str(arrival.token_id),
        )
        self._verified.keep(_digest(token), Verified(user, arrival.issued_at, keys, looked_at))
        return user

    async def _test_account(self, token: str) -> EnvironmentUser:
        sessions = self._test_sessions
        found = None if sessions is None else await to_thread.run_sync(sessions.find, token)
        if found is None:
            raise TokenRefused(reason="it is no session of a test account, or no longer")
        return found

    def _check_cutoff(self, user_id: UUID, issued: Arrival | Verified) -> None:
        """A token says only the second in which it was issued: one of the cutoff's own second is void as well."""
        not_before = self.feed.not_before(user_id)
        if not_before is not None and issued.issued_at <= not_before:
            raise TokenRefused(reason="its person's access was changed after it was issued")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("latin-1", "replace")).digest()


def _arrival(claims: Claims, environment: str) -> Arrival:
    """What a verified token says of its person; a claim that is not as we write it is not believed.

    Raises:
        TokenRefused: one is not.
    """
    said = claims.all
    name, reason = said.get("name"), said.get("reason")
    fits = (
        said.get("environment") == environment
        and _is_text(said.get("email"), ADDRESS_CHARACTERS)
        and _is_text(said.get("role"), ROLE_CHARACTERS)
        and _is_text(said.get("sid"), ADDRESS_CHARACTERS)
        and (name is None or _is_text(name, NAME_CHARACTERS))
        and (reason is None or _is_text(reason, None))
        and type(said.get("test_accounts")) is bool
    )
    if not fits:
        raise TokenRefused(reason="a claim has a form that is not ours")
    return Arrival(
        user_id=claims.subject,
        email=said["email"],
        full_name=name,
        role=said["role"],
        reason=reason,
        token_id=claims.token_id,
        session_id=said["sid"],
        issued_at=claims.issued_at,
    )


def _is_text(value: Any, limit: int | None) -> bool:
    return isinstance(value, str) and "\0" not in value and (limit is None or 0 < len(value) <= limit)
