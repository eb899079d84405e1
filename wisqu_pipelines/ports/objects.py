"""The object store as the domain sees it: buckets of immutable objects."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol


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

    def stat(self, bucket: str, key: str) -> ObjectInfo | None:
        """What is known of an object, or None if there is none."""
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

    def read(self, bucket: str, key: str, *, etag: str | None = None) -> AbstractContextManager[Iterator[bytes]]:
        """Stream an object's bytes in chunks of bounded size; with `etag`, that version or nothing.

        Raises:
            ObjectMissing: there is none.
            ObjectChanged: its etag is another.
        """
        ...

    def copy(self, source_bucket: str, source_key: str, bucket: str, key: str, *, source_etag: str) -> ObjectInfo:
        """Copy inside the server, create-only and pinned to the source's version. Needs rights on both buckets.

        Content type and metadata go with the bytes.

        Raises:
            BadInput: the new key is not usable.
            ObjectMissing: the source is not there.
            ObjectChanged: the source is another version.
            ObjectExists: there is an object at the target already.
        """
        ...

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects in bulk; one that is not there is no error."""
        ...
