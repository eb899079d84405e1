"""One of many copies, with its own troubles told apart from the store's."""

from collections.abc import Callable

from wisqu_pipelines.errors import BadInput, ObjectChanged, ObjectExists, ObjectMissing
from wisqu_pipelines.ports.objects import CopyOutcome, CopyRequest


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
