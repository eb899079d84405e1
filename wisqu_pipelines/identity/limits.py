"""How often somebody may try to log in: counted by account and network address, with longer waits for each failure."""

import math
import time
from ipaddress import IPv6Address, ip_address
from urllib.parse import quote

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from wisqu_pipelines.errors import LoginThrottled, StoreDenied, StoreUnavailable
from wisqu_pipelines.ports.hashing import sha256_of
from wisqu_pipelines.settings import IdentitySettings, LimitsSettings

LONGEST_WAIT_SECONDS = 900
"""The longest wait after a wrong password."""
WITHIN_SECONDS = 86_400
"""How long a failure counts against an account."""
_DENIED = {"AuthenticationError", "NoPermissionError", "AuthenticationWrongNumberOfArgsError"}
"""What Redis's client calls an account that is refused. It also calls them errors of the connection."""
_TOLD = RateLimitItemPerMinute(1)


class LoginLimits:
    """Refuses attempts that come too fast. Neither an address nor an account is stored in readable form."""

    def __init__(self, settings: IdentitySettings) -> None:
        """Count in Redis, or in this process where none is configured; nothing is connected yet."""
        self._settings = settings
        self._storage = _storage(settings.limits)
        self._windows = FixedWindowRateLimiter(self._storage)
        self._by_address: RateLimitItem = RateLimitItemPerHour(settings.attempts_by_address)

    def require(self) -> None:
        """Make sure that attempts can be counted.

        Raises:
            StoreDenied: the counter refuses its account.
            StoreUnavailable: it does not answer.
        """
        try:
            self._storage.get(_wait_key(""))
        except self._storage.base_exceptions as error:
            raise _unavailable(error) from None

    def check(self, account: str, address: str | None) -> None:
        """Refuse an attempt that comes too soon; one that is not refused is counted for its address.

        For its account it counts as a failure until it has succeeded, so that many at once are counted like one after
        the other. From `attempts` on each makes the next one wait, twice as long as the last.

        Args:
            account: The e-mail address that was given, whether or not there is such a person.
            address: The network address that it came from, where one is known.

        Raises:
            LoginThrottled: it has to wait.
            StoreUnavailable: the attempts cannot be counted, so none is let through.
        """
        try:
            if address is not None and not self._windows.hit(self._by_address, "address", _place(address)):
                resets, _ = self._windows.get_window_stats(self._by_address, "address", _place(address))
                raise _throttled(resets)
            is_early = bool(self._storage.get(_wait_key(account)))
            if not is_early:
                failures = self._storage.incr(f"failures/{_hidden(account)}", WITHIN_SECONDS)
                beyond = failures - self._settings.attempts
                wait = min(LONGEST_WAIT_SECONDS, 2 ** max(0, min(beyond, 20)))
                # Of those that come at once, the first makes the others wait.
                is_early = beyond >= 0 and self._storage.incr(_wait_key(account), wait) > 1
            if is_early:
                raise _throttled(self._storage.get_expiry(_wait_key(account)))
        except self._storage.base_exceptions as error:
            raise _unavailable(error) from None

    def is_news(self, what: str, account: str, address: str | None) -> bool:
        """Whether a refusal is the first of its kind within a minute for its network address, or for its account where
        none is known: those are written down, so that whoever hammers at the door cannot fill the audit.

        Args:
            what: What was refused.
            account: What was named: the e-mail address, or nothing.
            address: The network address that it came from, where one is known.

        Raises:
            StoreUnavailable: the refusals cannot be counted.
        """
        try:
            return self._windows.hit(_TOLD, "told", what, _place(address) if address else _hidden(account))
        except self._storage.base_exceptions as error:
            raise _unavailable(error) from None

    def succeeded(self, account: str) -> None:
        """Forget an account's failures.

        Raises:
            StoreUnavailable: the counter does not answer.
        """
        try:
            self._storage.clear(f"failures/{_hidden(account)}")
            self._storage.clear(_wait_key(account))
        except self._storage.base_exceptions as error:
            raise _unavailable(error) from None


def _wait_key(account: str) -> str:
    return f"wait/{_hidden(account)}"


def _throttled(until: float) -> LoginThrottled:
    """Redis ends what it counts by its own clock, and so the wait is told by the machine's."""
    return LoginThrottled(seconds=max(1, math.ceil(until - time.time())))


def _place(address: str) -> str:
    """What counts as one network address: of IPv6 the first 64 bits, since who has one address there has all the others
    (RFC 6177); one of IPv4 that is written as one of IPv6 is itself.
    """
    try:
        read = ip_address(address)
    except ValueError:
        return _hidden(address)
    if isinstance(read, IPv6Address):
        read = read.ipv4_mapped or IPv6Address(int(read) >> 64 << 64)
    return _hidden(str(read))


def _hidden(text: str) -> str:
    return sha256_of([text.strip().lower().encode("utf-8", "replace")])


def _unavailable(error: Exception) -> StoreDenied | StoreUnavailable:
    kind = StoreDenied if type(error).__name__ in _DENIED else StoreUnavailable
    return kind(store="counter of logins", operation="count", cause=type(error).__name__)


def _storage(settings: LimitsSettings | None) -> Storage:
    if settings is None:
        return MemoryStorage()
    scheme = "rediss" if settings.tls else "redis"
    user, password = quote(settings.username, safe=""), quote(settings.password.get_secret_value(), safe="")
    address = f"{scheme}://{user}:{password}@{settings.host}:{settings.port}/{settings.database}"
    return RedisStorage(address, key_prefix="wisqu-logins", socket_timeout=5.0, socket_connect_timeout=5.0)
