"""Carrying a file from one object server to another, where no server can copy it by itself."""

import tempfile
from io import BytesIO
from typing import BinaryIO, cast

from wisqu_pipelines.errors import ObjectMissing
from wisqu_pipelines.ports.objects import ObjectInfo, ObjectStore

MEMORY_PER_FILE = 1024 * 1024
"""Bytes of a file held in memory on the way; the rest waits on disk."""


def carry(
    source: ObjectStore,
    source_bucket: str,
    source_key: str,
    etag: str,
    size: int,
    target: ObjectStore,
    bucket: str,
    key: str,
) -> int:
    """Stream an object's bytes, content type and metadata from one server to the other, create-only and pinned to a
    version; the bytes of a large one wait in a spool, so that an upload can be repeated.

    Args:
        source: The one server, as an account that may read there.
        source_bucket: From where.
        source_key: Which object.
        etag: The version that is wanted.
        size: Its bytes.
        target: The other server, as an account that may write there.
        bucket: To where.
        key: Under which name.

    Returns:
        Its size in bytes.

    Raises:
        ObjectMissing, ObjectChanged: the source is gone, or another version.
        ObjectExists: there is an object at the target already.
    """
    if size <= MEMORY_PER_FILE:
        about, data = source.get(source_bucket, source_key, etag=etag)
        return _put(target, bucket, key, BytesIO(data), len(data), about)
    found = source.stat(source_bucket, source_key)
    if found is None:
        raise ObjectMissing(bucket=source_bucket, key=source_key)
    with tempfile.SpooledTemporaryFile(MEMORY_PER_FILE) as spool:
        with source.read(source_bucket, source_key, etag=etag) as chunks:
            for chunk in chunks:
                spool.write(chunk)
        size = spool.tell()
        spool.seek(0)
        return _put(target, bucket, key, cast("BinaryIO", spool), size, found)


def _put(target: ObjectStore, bucket: str, key: str, data: BinaryIO, size: int, about: ObjectInfo) -> int:
    target.put(bucket, key, data, size, content_type=about.content_type, metadata=about.metadata, create_only=True)
    return size
