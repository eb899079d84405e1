"""One of many copies or reads, with its own troubles told apart from the store's."""

from collections.abc import Callable

from wisqu_pipelines.errors import BadInput, ObjectChanged, ObjectExists, ObjectMissing
from wisqu_pipelines.ports.objects import CopyOutcome, CopyRequest, ObjectInfo


def copied(copy: Callable[..., str], request: CopyRequest) -> CopyOutcome:
    """What becomes of one request.

    Args:
        copy: `ObjectStore.copy`.
        request: Its arguments.

    Raises:
        WisquError: the store is in trouble.
    """
    try:
        etag = copy(
            request.source_bucket,
            request.source_key,
            request.bucket,
            request.key,
            source_etag=request.source_etag,
            size=request.size,
        )
    except (BadInput, ObjectMissing, ObjectChanged, ObjectExists) as error:
        return CopyOutcome(request, error=error)
    return CopyOutcome(request, etag)


def got(
    get: Callable[..., tuple[ObjectInfo, bytes]], bucket: str, key: str, etag: str
) -> tuple[ObjectInfo, bytes] | ObjectMissing | ObjectChanged:
    """What becomes of one read.

    Args:
        get: `ObjectStore.get`.
        bucket: From where.
        key: Which object.
        etag: The version that is wanted.

    Raises:
        WisquError: the store is in trouble.
    """
    try:
        return get(bucket, key, etag=etag)
    except (ObjectMissing, ObjectChanged) as error:
        return error
