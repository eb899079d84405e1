"""What an environment has to know of the identity service: its keys, and whose tokens are void before their end.

Asked for every 20 seconds, and believed for 60: so what the service takes back is taken back everywhere within a
minute, whether or not an environment still hears of it.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import quote
from uuid import UUID

import httpx
import structlog
from joserfc.jwk import Key, KeySet, OKPKey

from wisqu_pipelines.errors import FeedStale
from wisqu_pipelines.identity.keys import ALGORITHM, KeyRing
from wisqu_pipelines.identity.service import Cutoff
from wisqu_pipelines.ports.clock import Clock, SystemClock

EVERY = timedelta(seconds=20)
BELIEVED = timedelta(seconds=60)
"""How long an answer counts, from when it was asked for. Shorter than `keys.AHEAD`: a new key is known before it
signs."""
AGAIN = timedelta(seconds=5)
"""How soon the service is asked again after it did not answer."""
SECONDS = 4.0
"""How long one answer may take; both take less than `BELIEVED` less `EVERY`."""
LOG = structlog.get_logger("wisqu.entry")


class Feed(Protocol):
    """Where an entrance learns what the identity service says of its environment."""

    def keys(self) -> KeySet:
        """The public keys; the same object as long as they are the same keys.

        Raises:
            FeedStale: they are not known, or no longer surely.
        """
        ...

    def not_before(self, user_id: UUID) -> datetime | None:
        """A person's tokens that were issued until that time are void; None: none are.

        Raises:
            FeedStale: it is not known, or no longer surely.
        """
        ...

    def start(self) -> None:
        """Have something to say as soon as that can be; doing it again changes nothing. May wait for the service."""
        ...

    def close(self) -> None:
        """Ask no more."""
        ...


class LocalFeed:
    """What an identity service in the same process says: for its own apps, and for tests."""

    def __init__(self, ring: KeyRing, cutoffs: Callable[[], Iterable[Cutoff]]) -> None:
        """Read the environment's ring, and ask `cutoffs` at each request: it should not take long."""
        self._ring = ring
        self._cutoffs = cutoffs

    def keys(self) -> KeySet:
        """The public keys of the ring."""
        return self._ring.verifying()

    def not_before(self, user_id: UUID) -> datetime | None:
        """A person's tokens that were issued until that time are void; None: none are."""
        return max((each.not_before for each in self._cutoffs() if each.user_id == user_id), default=None)

    def start(self) -> None:
        """There is nothing to start."""

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the service said, and when it was asked."""

    asked_at: datetime
    published: tuple[Mapping[str, Any], ...]
    keys: KeySet
    cutoffs: Mapping[UUID, datetime]


class IdentityFeed:
    """Asks the identity service over HTTP, in a thread of its own that starts with the first use."""

    def __init__(
        self,
        issuer_url: str,
        environment: str,
        client: httpx.Client | None = None,
        every: timedelta = EVERY,
        clock: Clock | None = None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            issuer_url: The address of the identity service.
            environment: Whose keys and cutoffs.
            client: Asks; it is not closed here. None: one of its own.
            every: How often.
            clock: Says how old an answer is.
        """
        self._environment = environment
        self._address = f"{issuer_url.rstrip('/')}/v1/environments/{quote(environment, safe='')}"
        self._client = client
        self._every = every
        self._clock = clock or SystemClock()
        self._answer: _Answer | None = None
        self._because = "nobody has asked yet"
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._tried = threading.Event()

    def keys(self) -> KeySet:
        """The public keys.

        Raises:
            FeedStale: the service has not answered for too long.
        """
        return self._believed().keys

    def not_before(self, user_id: UUID) -> datetime | None:
        """A person's tokens that were issued until that time are void; None: none are.

        Raises:
            FeedStale: the service has not answered for too long.
        """
        return self._believed().cutoffs.get(user_id)

    def start(self) -> None:
        """Start asking, and wait for the first answer or for what comes instead of it."""
        with self._lock:
            # A process that was forked from one that asks has no thread, whatever it inherited.
            if self._thread is None or not self._thread.is_alive():
                self._stop, self._tried = threading.Event(), threading.Event()
                self._thread = threading.Thread(
                    target=self._ask_on, args=(self._stop, self._tried), name=f"feed {self._environment}", daemon=True
                )
                self._thread.start()
            tried = self._tried
        tried.wait(2 * SECONDS)

    def close(self) -> None:
        """Ask no more; what was said is believed until it is too old."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stop.set()
        if thread is not None and thread.is_alive():
            thread.join(2 * SECONDS)

    def refresh(self) -> bool:
        """Ask now; whether there was an answer. If there was none, the last one stays."""
        if self._client is not None:
            return self._ask(self._client)
        with httpx.Client(timeout=SECONDS) as client:
            return self._ask(client)

    def _believed(self) -> _Answer:
        answer = self._answer
        # The distance, so that a clock that was set back does not make an answer good for longer.
        if answer is None or abs(self._clock.now() - answer.asked_at) > BELIEVED:
            raise FeedStale(environment=self._environment, seconds=int(BELIEVED.total_seconds()), reason=self._because)
        return answer

    def _ask_on(self, stop: threading.Event, tried: threading.Event) -> None:
        with httpx.Client(timeout=SECONDS) as own:
            while not stop.is_set():
                answered = self._ask(self._client or own)
                tried.set()
                stop.wait((self._every if answered else min(AGAIN, self._every)).total_seconds())

    def _ask(self, client: httpx.Client) -> bool:
        asked_at = self._clock.now()
        try:
            published = tuple(self._get(client, "jwks.json")["keys"])
            cutoffs = {
                UUID(each["user_id"]): _moment(each["not_before"]) for each in self._get(client, "cutoffs")["cutoffs"]
            }
            before = self._answer
            keys = before.keys if before is not None and before.published == published else _key_set(published)
        except Exception as error:
            # Whatever it is: the thread goes on, and what is too old lets nobody in.
            self._because = f"the identity service gave no usable answer ({type(error).__name__})"
            LOG.warning("no answer of the identity service", environment=self._environment, error=type(error).__name__)
            return False
        self._answer = _Answer(asked_at, published, keys, cutoffs)
        self._because = "the identity service has not answered since"
        return True

    def _get(self, client: httpx.Client, name: str) -> Mapping[str, Any]:
        answer = client.get(f"{self._address}/{name}", timeout=SECONDS, follow_redirects=False)
        answer.raise_for_status()
        found: Mapping[str, Any] = answer.json()
        return found


def _key_set(published: Iterable[Mapping[str, Any]]) -> KeySet:
    keys: list[Key] = [OKPKey.import_key(dict(each)) for each in published]
    if not keys or any(each.is_private or not each.kid or each.get("alg") != ALGORITHM for each in keys):
        raise ValueError("that is no key set of the identity service")
    return KeySet(keys)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone")
    return moment
