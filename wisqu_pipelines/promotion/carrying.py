"""Carrying files from one object server to another, where no server can copy them by itself."""

import tempfile
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from io import BytesIO
from typing import BinaryIO, cast

from wisqu_pipelines.errors import BadInput, ObjectChanged, ObjectExists, ObjectMissing
from wisqu_pipelines.ports.objects import CopyRequest, NewObject, ObjectInfo, ObjectStore

SMALL = 64 * 1024
"""Bytes of a file that goes among many: more than a hundred of them are in memory at a time."""
MEMORY_PER_FILE = 1024 * 1024
"""Bytes of a larger file held in memory on the way; the rest waits on disk."""

Trouble = BadInput | ObjectMissing | ObjectChanged | ObjectExists
"""What can be wrong with one file, and not with a store."""


def carry_many(
    source: ObjectStore, target: ObjectStore, requests: Sequence[CopyRequest], threads: Executor
) -> list[int | Trouble]:
    """Carry files: bytes, content type and metadata of a version, and nothing is overwritten. Small ones go many at
    once, the others each by a thread.

    Args:
        source: The one server, as an account that may read there.
        target: The other server, as an account that may write there.
        requests: From where, and to where.
        threads: For those that are not small.

    Returns:
        The bytes of each that were carried, or what was wrong with it, in their order.

    Raises:
        WisquError: a store is in trouble. What has begun in the threads ends there; the rest is not begun.
    """
    small = {number: each for number, each in enumerate(requests) if each.size is not None and each.size <= SMALL}
    others = {
        number: threads.submit(_carried, source, target, each)
        for number, each in enumerate(requests)
        if number not in small
    }
    try:
        outcomes = _carried_at_once(source, target, small)
        outcomes |= {number: each.result() for number, each in others.items()}
    finally:
        for each in others.values():
            each.cancel()
    return [outcomes[number] for number in range(len(requests))]


def _carried_at_once(
    source: ObjectStore, target: ObjectStore, requests: Mapping[int, CopyRequest]
) -> dict[int, int | Trouble]:
    outcomes: dict[int, int | Trouble] = {}
    on_their_way: deque[tuple[int, int]] = deque()

    def read() -> Generator[NewObject, None, None]:
        versions = ((each.source_bucket, each.source_key, each.source_etag) for each in requests.values())
        for (number, request), found in zip(requests.items(), source.get_many(versions), strict=True):
            if isinstance(found, ObjectMissing | ObjectChanged):
                outcomes[number] = found
                continue
            about, data = found
            on_their_way.append((number, len(data)))
            yield NewObject(request.bucket, request.key, data, about.content_type, about.metadata)

    with closing(read()) as objects:
        for trouble in target.create_many(objects):
            number, size = on_their_way.popleft()
            outcomes[number] = trouble or size
    return outcomes


def _carried(source: ObjectStore, target: ObjectStore, request: CopyRequest) -> int | Trouble:
    """Stream one; the bytes of a large one wait in a spool, so that an upload can be repeated."""
    try:
        if request.size is not None and request.size <= MEMORY_PER_FILE:
            about, data = source.get(request.source_bucket, request.source_key, etag=request.source_etag)
            return _put(target, request, BytesIO(data), len(data), about)
        found = source.stat(request.source_bucket, request.source_key)
        if found is None:
            return ObjectMissing(bucket=request.source_bucket, key=request.source_key)
        with tempfile.SpooledTemporaryFile(MEMORY_PER_FILE) as spool:
            with source.read(request.source_bucket, request.source_key, etag=request.source_etag) as chunks:
                for chunk in chunks:
                    spool.write(chunk)
            size = spool.tell()
            spool.seek(0)
            return _put(target, request, cast("BinaryIO", spool), size, found)
    except (BadInput, ObjectMissing, ObjectChanged, ObjectExists) as error:
        return error


def _put(target: ObjectStore, request: CopyRequest, data: BinaryIO, size: int, about: ObjectInfo) -> int:
    target.put(
        request.bucket,
        request.key,
        data,
        size,
        content_type=about.content_type,
        metadata=about.metadata,
        create_only=True,
    )
    return size
