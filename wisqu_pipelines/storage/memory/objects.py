"""The object store port in memory: a server, and accounts on it."""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from io import BytesIO
from typing import Any, BinaryIO

from wisqu_pipelines.errors import (
    BadInput,
    BucketMissing,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    StoreDenied,
    StoreFailed,
)
from wisqu_pipelines.ports.clock import Clock, SystemClock
from wisqu_pipelines.ports.objects import CopyOutcome, CopyRequest, NewObject, ObjectInfo
from wisqu_pipelines.storage.copies import copied, got
from wisqu_pipelines.storage.digests import sha256_at
from wisqu_pipelines.storage.keys import check_key

STORE = "object store"
CHUNK = 256 * 1024
"""Bytes in one piece of a stream."""


@dataclass(frozen=True, slots=True)
class _Stored:
    info: ObjectInfo
    data: bytes


Bucket = dict[str, _Stored]


@dataclass(slots=True)
class MemoryObjectServer:
    """What several accounts share: copies work between its buckets."""

    clock: Clock = field(default_factory=SystemClock)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    sealed: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


class MemoryObjectStore:
    """One account. Safe to use from several threads."""

    def __init__(self, server: MemoryObjectServer | None = None, reaches: Sequence[str] = ("*",)) -> None:
        """Use a server, or one of its own.

        Args:
            server: Where the buckets are.
            reaches: Patterns of the buckets that the account may use (`dev-*`).
        """
        self._server = server or MemoryObjectServer()
        self._reaches = tuple(reaches)

    def ensure_bucket(self, bucket: str) -> None:
        """Make the bucket if it is not there."""
        self._check("make a bucket", bucket)
        with self._server.lock:
            self._server.buckets.setdefault(bucket, {})

    def bucket_exists(self, bucket: str) -> bool:
        """Whether the bucket is there."""
        self._check("look for a bucket", bucket)
        return bucket in self._server.buckets

    def seal(self, bucket: str, key: str, data: bytes, until: datetime) -> None:
        """Write an object that no account can change or delete; the time is not looked at, as nothing here lasts."""
        del until
        check_key(key)
        self._check("seal", bucket)
        self.ensure_bucket(bucket)
        self.put(bucket, key, BytesIO(data), len(data))
        with self._server.lock:
            self._server.sealed.setdefault(bucket, []).append((key, data))

    def sealed(self, bucket: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Key and bytes of everything that was ever sealed in a bucket under keys that start with `prefix`."""
        self._check("list versions", bucket)
        with self._server.lock:
            found = [each for each in self._server.sealed.get(bucket, ()) if each[0].startswith(prefix)]
        yield from found

    def stat(self, bucket: str, key: str) -> ObjectInfo | None:
        """What is known of an object, or None if there is none."""
        self._check("stat", bucket)
        with self._server.lock:
            found = self._server.buckets.get(bucket, {}).get(key)
        return None if found is None else found.info

    def stat_many(self, objects: Iterable[tuple[str, str]]) -> Iterator[ObjectInfo | None]:
        """`stat` for many."""
        return (self.stat(bucket, key) for bucket, key in objects)

    def sha256_many(self, objects: Iterable[tuple[str, str]]) -> Iterator[str | None]:
        """SHA-256 of the bytes of many objects."""
        return (sha256_at(self, bucket, key) for bucket, key in objects)

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects whose key starts with `prefix`, in key order."""
        with self._server.lock:
            objects = self._bucket("list", bucket)
            found = [stored.info for key, stored in objects.items() if key.startswith(prefix)]
        for info in sorted(found, key=lambda each: each.key.encode()):
            yield ObjectInfo(info.key, info.size, info.etag, modified=info.modified)

    def put(
        self,
        bucket: str,
        key: str,
        data: BinaryIO,
        size: int,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        create_only: bool = False,
    ) -> ObjectInfo:
        """Write `size` bytes read from `data`."""
        check_key(key)
        self._check("put", bucket)
        content = data.read(size)
        if len(content) != size:
            cause = f"the stream ended before its {size} bytes"
            raise StoreFailed(store=STORE, operation="put", cause=cause)
        named = {name.lower(): value for name, value in (metadata or {}).items()}
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        info = ObjectInfo(key, size, etag, content_type, named, self._server.clock.now())
        with self._server.lock:
            objects = self._bucket("put", bucket)
            if create_only and key in objects:
                raise ObjectExists(bucket=bucket, key=key)
            objects[key] = _Stored(info, content)
        return info

    def create_many(self, objects: Iterable[NewObject]) -> Iterator[BadInput | ObjectExists | None]:
        """`put` with `create_only` for many."""
        return (self._created(each) for each in objects)

    def _created(self, new: NewObject) -> BadInput | ObjectExists | None:
        about: dict[str, Any] = {"content_type": new.content_type, "metadata": new.metadata}
        try:
            self.put(new.bucket, new.key, BytesIO(new.data), len(new.data), create_only=True, **about)
        except (BadInput, ObjectExists) as error:
            return error
        return None

    def get(self, bucket: str, key: str, *, etag: str) -> tuple[ObjectInfo, bytes]:
        """What is known of an object, and its bytes."""
        found = self._find("read", bucket, key, etag)
        return found.info, found.data

    def get_many(
        self, objects: Iterable[tuple[str, str, str]]
    ) -> Iterator[tuple[ObjectInfo, bytes] | ObjectMissing | ObjectChanged]:
        """`get` for many."""
        return (got(self.get, *each) for each in objects)

    @contextmanager
    def read(self, bucket: str, key: str, *, etag: str | None = None) -> Iterator[Iterator[bytes]]:
        """Stream an object's bytes; with `etag`, that version or nothing."""
        data = self._find("read", bucket, key, etag).data
        yield (data[start : start + CHUNK] for start in range(0, len(data), CHUNK))

    def copy(
        self,
        source_bucket: str,
        source_key: str,
        bucket: str,
        key: str,
        *,
        source_etag: str,
        size: int | None = None,
    ) -> str:
        """Copy inside the server, pinned to the source's version; overwrites nothing."""
        check_key(key)
        with self._server.lock:
            source = self._find("copy", source_bucket, source_key, source_etag)
            objects = self._bucket("copy", bucket)
            there = objects.get(key)
            if there is None:
                info = replace(source.info, key=key, modified=self._server.clock.now())
                objects[key] = _Stored(info, source.data)
            elif (there.info.size, there.info.etag) != (source.info.size, source.info.etag):
                raise ObjectExists(bucket=bucket, key=key)
        return source.info.etag

    def copy_many(self, requests: Iterable[CopyRequest]) -> Iterator[CopyOutcome]:
        """`copy` for many."""
        return (copied(self.copy, request) for request in requests)

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects; one that is not there is no error."""
        with self._server.lock:
            objects = self._bucket("delete", bucket)
            for key in keys:
                objects.pop(key, None)

    def _find(self, operation: str, bucket: str, key: str, etag: str | None) -> _Stored:
        with self._server.lock:
            found = self._bucket(operation, bucket).get(key)
        if found is None:
            raise ObjectMissing(bucket=bucket, key=key)
        if etag is not None and found.info.etag != etag:
            raise ObjectChanged(bucket=bucket, key=key)
        return found

    def _bucket(self, operation: str, bucket: str) -> Bucket:
        self._check(operation, bucket)
        try:
            return self._server.buckets[bucket]
        except KeyError:
            raise BucketMissing(bucket=bucket) from None

    def _check(self, operation: str, bucket: str) -> None:
        if not any(fnmatchcase(bucket, pattern) for pattern in self._reaches):
            raise StoreDenied(store=STORE, operation=f"{operation} in {bucket}", cause="AccessDenied")
