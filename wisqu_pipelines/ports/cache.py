"""The cache as the domain sees it: one numbered database of keys."""

from datetime import timedelta
from typing import Protocol


class Cache(Protocol):
    """One Redis database of one environment.

    Every method raises `StoreUnavailable`, `StoreDenied` or `StoreFailed` for the server's troubles.
    """

    def get(self, key: str) -> bytes | None:
        """The value of a key, or None."""
        ...

    def set(self, key: str, value: bytes, *, ttl: timedelta | None = None) -> None:
        """Set a key, for a time or for good."""
        ...

    def delete(self, *keys: str) -> int:
        """Delete keys; returns how many there were."""
        ...

    def delete_prefix(self, prefix: str) -> int:
        """Delete all keys that start with `prefix`, without blocking the server; returns how many there were."""
        ...
