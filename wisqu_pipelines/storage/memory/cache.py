"""The cache port in memory."""

import threading
from datetime import datetime, timedelta

from wisqu_pipelines.errors import StoreFailed
from wisqu_pipelines.ports.clock import Clock, SystemClock

STORE = "cache"
SHORTEST = timedelta(milliseconds=1)


class MemoryCache:
    """One database of keys. Safe to use from several threads."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Start empty; `clock` says when keys expire."""
        self._clock = clock or SystemClock()
        self._entries: dict[str, tuple[bytes, datetime | None]] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """The value of a key, or None."""
        with self._lock:
            self._expire()
            entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def set(self, key: str, value: bytes, *, ttl: timedelta | None = None) -> None:
        """Set a key, for a time or for good."""
        if ttl is not None and ttl < SHORTEST:
            raise StoreFailed(store=STORE, operation="set", cause="a time to live of less than a millisecond")
        with self._lock:
            self._entries[key] = (bytes(value), None if ttl is None else self._clock.now() + ttl)

    def delete(self, *keys: str) -> int:
        """Delete keys; returns how many there were."""
        with self._lock:
            self._expire()
            return sum(self._entries.pop(key, None) is not None for key in keys)

    def delete_prefix(self, prefix: str) -> int:
        """Delete all keys that start with `prefix`; returns how many there were."""
        with self._lock:
            self._expire()
            found = [key for key in self._entries if key.startswith(prefix)]
            for key in found:
                del self._entries[key]
        return len(found)

    def _expire(self) -> None:
        now = self._clock.now()
        for key in [key for key, (_, end) in self._entries.items() if end is not None and end <= now]:
            del self._entries[key]
