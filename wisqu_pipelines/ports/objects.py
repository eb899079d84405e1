"""The object store as the domain sees it: buckets of immutable objects."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

from wisqu_pipelines.errors import BadInput, ObjectChanged, ObjectExists, ObjectMissing


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store says about an object without giving its bytes."""

    key: str
    size: int
    """Bytes."""
    etag: str
    """The store's name for this version of the bytes. It pins a read; it is no checksum."""
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """One object to copy inside a server."""

    source_bucket: str
    source_key: str
    source_etag: str
    """The version that is wanted."""
    bucket: str
    key: str
    size: int | None = None
    """Bytes of that version. A store that copies large objects in parts looks itself where it is not told."""


@dataclass(frozen=True, slots=True)
class CopyOutcome:
    """What became of one copy: an etag, or an error."""

    request: CopyRequest
    etag: str | None = None
    """The copy's."""
    error: BadInput | ObjectMissing | ObjectChanged | ObjectExists | None = None


@dataclass(frozen=True, slots=True)
class NewObject:
    """One small object to make, with all of its bytes."""

    bucket: str
    key: str
    data: bytes
    content_type: str
    metadata: Mapping[str, str]


class ObjectStore(Protocol):
    """One account on an S3 server. Bucket names are full names (`dev-wisqu-documents`).

    Every method raises `StoreUnavailable` when the store does not answer after the retries, `StoreDenied` when it
    refuses the credentials, and `StoreFailed` for any other error of its own.
    """

    def ensure_bucket(self, bucket: str) -> None:
        """Make the bucket if it is not there."""
        ...

    def bucket_exists(self, bucket: str) -> bool:
        """Whether the bucket is there.

        Raises:
            StoreDenied: these credentials may not see it.
        """
        ...

    def seal(self, bucket: str, key: str, data: bytes, until: datetime) -> None:
        """Write an object that no account can change or delete before a time (S3 Object Lock, in compliance mode).

        The bucket is made for that if it is not there; nothing else belongs into it.
        """
        ...

    def sealed(self, bucket: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Key and bytes of everything that was ever sealed in a bucket under keys that start with `prefix`, whatever
        was written over it since.

        What somebody wrote there without sealing it may be among it: only a signature tells. No bucket is an empty one.
        """
        ...

    def stat(self, bucket: str, key: str) -> ObjectInfo | None:
        """What is known of an object, or None if there is none."""
        ...

    def stat_many(self, objects: Iterable[tuple[str, str]]) -> Iterator[ObjectInfo | None]:
        """`stat` for many, given as buckets and keys, several at once: what it says of each, in their order.

        They are taken as they are needed. Troubles of the store are raised and end it all.
        """
        ...

    def sha256_many(self, objects: Iterable[tuple[str, str]]) -> Iterator[str | None]:
        """The SHA-256 (hex) of the bytes of many objects, given as buckets and keys, several at once, in their order.

        None for one that is not there. No object is held in memory.

        They are taken as they are needed. Troubles of the store are raised and end it all.
        """
        ...

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects whose key starts with `prefix`, read page by page; content type and metadata are not filled in.

        They come in the order of their keys' UTF-8 bytes. (SeaweedFS lets `a/b` come before `a-b`: it walks folders.)

        Raises:
            BucketMissing: there is no such bucket.
        """
        ...

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
        """Write `size` bytes read from `data`, in bounded memory.

        Args:
            bucket: Where.
            key: Under which name; any text that every S3 server takes for a name (`storage/keys.py`).
            data: The bytes. A stream that cannot be rewound is sent once, without another attempt after an error.
            size: Bytes.
            content_type: What the bytes are.
            metadata: By names that are compared without case. Values may be any text.
            create_only: Whether an object that is there already stays as it is. Of several who create at the same time
                one wins; above the adapter's limit for one request that is up to the server.

        Raises:
            BadInput: the key is not usable.
            ObjectExists: `create_only` and there is an object already.
        """
        ...

    def create_many(self, objects: Iterable[NewObject]) -> Iterator[BadInput | ObjectExists | None]:
        """`put` with `create_only` for many small objects, several at once: what is wrong with each, in their order.

        They are taken as they are needed. Troubles of the store are raised and end it all, after what was on its way.
        Whoever stops listening stops the writing.
        """
        ...

    def get(self, bucket: str, key: str, *, etag: str) -> tuple[ObjectInfo, bytes]:
        """What is known of a small object, and all of its bytes, in one request; that version or nothing.

        Raises:
            ObjectMissing: there is none.
            ObjectChanged: its etag is another.
        """
        ...

    def get_many(
        self, objects: Iterable[tuple[str, str, str]]
    ) -> Iterator[tuple[ObjectInfo, bytes] | ObjectMissing | ObjectChanged]:
        """`get` for many small objects, given as buckets, keys and etags, several at once, in their order.

        They are taken as they are needed. Troubles of the store are raised and end it all.
        """
        ...

    def read(self, bucket: str, key: str, *, etag: str | None = None) -> AbstractContextManager[Iterator[bytes]]:
        """Stream an object's bytes in chunks of bounded size; with `etag`, that version or nothing.

        Raises:
            ObjectMissing: there is none.
            ObjectChanged: its etag is another.
        """
        ...

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
        """Copy inside the server, pinned to the source's version. Needs rights on both buckets.

        Content type and metadata go with the bytes. Nothing is overwritten where the server heeds the condition on a
        copy, so callers use keys that name the content: then an overwrite is the same bytes. An object in the way that
        has the size and the etag of the source counts as this copy, of which the reply was lost.

        Args:
            source_bucket: From where.
            source_key: Which object.
            bucket: To where.
            key: Under which name.
            source_etag: The version that is wanted.
            size: Its bytes, where they are known: see `CopyRequest`.

        Returns:
            The copy's etag.

        Raises:
            BadInput: the new key is not usable.
            ObjectMissing: the source is not there.
            ObjectChanged: the source is another version. Where the server heeds no condition on a copy, a copy of that
                one may lie at the target.
            ObjectExists: there is another object at the target already.
        """
        ...

    def copy_many(self, requests: Iterable[CopyRequest]) -> Iterator[CopyOutcome]:
        """`copy` for many, several at once: as many as the adapter finds good.

        Requests are taken as they are needed, and outcomes come in their order. What is wrong with one of them (the
        errors of `copy`) is in its outcome; troubles of the store are raised and end it all, after what was on its way.
        Whoever stops listening stops the copying.
        """
        ...

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects in bulk; one that is not there is no error."""
        ...
