"""Tokens that were verified, by their SHA-256, so that only the first request with one pays for its signature."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from joserfc.jwk import KeySet

from wisqu_pipelines.entry.user import EnvironmentUser

MOST = 10_000


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that was verified, and whose person was let in."""

    user: EnvironmentUser
    issued_at: datetime
    keys: KeySet
    """The keys that it was verified with; with others it has to be verified again."""
    looked_at: datetime
    """When the person's row was last read."""


class VerifiedTokens:
    """So many of them, the least used forgotten first. Safe to use from several threads."""

    def __init__(self, most: int = MOST) -> None:
        """Remember at most so many."""
        self._most = most
        self._tokens: OrderedDict[bytes, Verified] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tokens)

    def find(self, digest: bytes, now: datetime) -> Verified | None:
        """A token that was kept and has not ended."""
        with self._lock:
            found = self._tokens.get(digest)
            if found is None:
                return None
            if found.user.expires_at <= now:
                del self._tokens[digest]
                return None
            self._tokens.move_to_end(digest)
            return found

    def keep(self, digest: bytes, verified: Verified) -> None:
        """Remember a token."""
        with self._lock:
            self._tokens[digest] = verified
            self._tokens.move_to_end(digest)
            if len(self._tokens) > self._most:
                self._tokens.popitem(last=False)
