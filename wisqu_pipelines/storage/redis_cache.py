"""The cache port on Redis or Valkey."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from wisqu_pipelines.errors import StoreDenied, StoreFailed, StoreUnavailable, WisquError
from wisqu_pipelines.settings import CacheSettings
from wisqu_pipelines.storage.retries import with_retries

SECONDS = 5.0
"""How long a connection, or an answer, may take."""
CONNECTIONS = 32
KEYS_AT_ONCE = 500
_GLOB = re.compile(r"([*?\[\]\\^])")
_DENIED = (AuthenticationError, AuthorizationError, NoPermissionError)
_TRANSIENT = (RedisConnectionError, RedisTimeoutError, BusyLoadingError)

Result = TypeVar("Result")


class RedisCache:
    """One numbered database of one Redis account. Safe to use from several threads."""

    def __init__(self, settings: CacheSettings, number: int) -> None:
        """Use database `number` of the account; nothing is connected yet."""
        self._address = settings.address(number)
        self._client = Redis(
            host=settings.host,
            port=settings.port,
            db=number,
            username=settings.username,
            password=settings.password.get_secret_value(),
            ssl=settings.tls,
            max_connections=CONNECTIONS,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            retry=Retry(NoBackoff(), 0),  # with_retries does that
            driver_info=None,  # telling the server the client's version would take two calls a connection
        )

    def __repr__(self) -> str:
        return f"RedisCache({self._address})"

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._client.close()

    def get(self, key: str) -> bytes | None:
        """The value of a key, or None."""
        value = self._do("get", lambda: self._client.get(key))
        return value if isinstance(value, bytes) else None

    def set(self, key: str, value: bytes, *, ttl: timedelta | None = None) -> None:
        """Set a key, for a time or for good."""
        self._do("set", lambda: self._client.set(key, value, px=ttl))

    def delete(self, *keys: str) -> int:
        """Delete keys; returns how many there were."""
        return self._do("delete", lambda: int(self._client.unlink(*keys))) if keys else 0

    def delete_prefix(self, prefix: str) -> int:
        """Delete all keys that start with `prefix`, a few hundred at a time; returns how many there were."""
        pattern = _GLOB.sub(r"\\\1", prefix) + "*"

        def scan() -> int:
            deleted = 0
            batch: list[bytes] = []
            for key in self._client.scan_iter(match=pattern, count=KEYS_AT_ONCE):
                batch.append(key)
                if len(batch) >= KEYS_AT_ONCE:
                    deleted += int(self._client.unlink(*batch))
                    batch.clear()
            return deleted + (int(self._client.unlink(*batch)) if batch else 0)

        return self._do("delete by prefix", scan)

    def _do(self, operation: str, act: Callable[[], Result]) -> Result:
        try:
            return with_retries(lambda _: act(), _is_transient)
        except RedisError as error:
            raise _translated(error, f"Redis database at {self._address}", operation) from error


def _is_transient(error: Exception) -> bool:
    return isinstance(error, _TRANSIENT) and not isinstance(error, _DENIED)


def _translated(error: RedisError, store: str, operation: str) -> WisquError:
    """A vendor's error as ours; its text may name the user, never the password, but only its kind is repeated."""
    kind = type(error).__name__
    if isinstance(error, _DENIED):
        return StoreDenied(store=store, operation=operation, cause=kind)
    if _is_transient(error):
        return StoreUnavailable(store=store, operation=operation, cause=kind)
    return StoreFailed(store=store, operation=operation, cause=kind)
