"""What S3 answers, in this project's terms: objects with their metadata, and errors."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote
from xml.etree.ElementTree import ParseError, fromstring

from minio.datatypes import Object
from minio.deleteobjects import DeleteError
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError

from wisqu_pipelines.errors import (
    BucketMissing,
    ObjectChanged,
    ObjectMissing,
    StoreDenied,
    StoreFailed,
    StoreUnavailable,
    WisquError,
)
from wisqu_pipelines.ports.objects import ObjectInfo
from wisqu_pipelines.storage.connections import PASSING_ERRORS
from wisqu_pipelines.storage.s3_wire import WireError

STORE = "object store"
WRITE_MARK = "wisqu-write"
"""User metadata that names one create-only write, so that after a lost reply it is known whether it was ours."""
USER_METADATA = "x-amz-meta-"
_EMPTY = "%"
"""An empty metadata value as it is stored: some servers drop empty headers. No other value is encoded as this."""
_KEPT_HEADERS = {"content-type", "content-encoding", "content-disposition", "content-language", "cache-control"}

NO_OBJECT = {"NoSuchKey", "NoSuchObject", "NotFound", "ResourceNotFound"}
_NO_BUCKET = "NoSuchBucket"
_CONDITION_FAILED = {"PreconditionFailed", "ConditionalRequestConflict"}
_DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled", "AccountProblem"}
_WAYS_OUT = {
    "InvalidLocationConstraint": "the 'region' in this store's settings is none of the server's",
    "QuotaExceeded": "the account is full",
    "RequestTimeTooSkewed": "this machine's clock and the server's differ",
}
"""Of codes that mean none of the above, although some come with the status 403."""
_PASSING_CODES = {
    "InternalError",
    "SlowDown",
    "ServiceUnavailable",
    "RequestTimeout",
    "OperationAborted",
    "NoSuchUpload",  # the end of an upload, of which the reply was lost, has been repeated
}
_PASSING_STATUS = {429, 500, 502, 503, 504}

COPY = "copy"
"""The operation of a copy inside the server."""
SEAL = "seal"
"""The operation of a write under a lock."""
VENDOR_ERRORS = (WireError, MinioException, HTTPError, ParseError, ValueError)
"""What the SDK raises; `ValueError` for what it cannot send and for an answer in which something is missing."""


class NotDeletedError(MinioException):
    """One object of a bulk delete stayed."""

    def __init__(self, trouble: DeleteError) -> None:
        super().__init__(trouble.code)
        self.code = trouble.code or ""
        self.key = trouble.name or ""


# Errors


def is_transient(error: Exception) -> bool:
    """Whether an error may pass."""
    if isinstance(error, HTTPError):
        return isinstance(error, PASSING_ERRORS)
    if isinstance(error, WireError) and error.passing:
        return True
    return _code(error) in _PASSING_CODES or _status(error) in _PASSING_STATUS


def translated(error: Exception, operation: str, bucket: str, key: str) -> WisquError:
    """A vendor's error as ours. Only code and status are repeated: the SDK's messages name addresses and requests."""
    code, status = _code(error), _status(error)
    if code == _NO_BUCKET:
        return BucketMissing(bucket=bucket)
    if code in NO_OBJECT or status == 404:
        return ObjectMissing(bucket=bucket, key=key)
    if code in _CONDITION_FAILED or status == 412:
        return ObjectChanged(bucket=bucket, key=key)
    cause = code or (f"status {status}" if status else type(error).__name__)
    is_denied = code in _DENIED or (status in {401, 403} and code not in _WAYS_OUT)
    if isinstance(error, NotDeletedError) and not is_denied:
        cause = f"{cause} for {error.key}"
    if way_out := _way_out(operation, code, status, is_denied=is_denied):
        cause = f"{cause}; {way_out}"
    if is_denied:
        return StoreDenied(store=STORE, operation=f"{operation} in {bucket}", cause=cause)
    if is_transient(error) or isinstance(error, HTTPError):
        return StoreUnavailable(store=STORE, operation=f"{operation} in {bucket}", cause=cause)
    return StoreFailed(store=STORE, operation=f"{operation} in {bucket}", cause=cause)


def _way_out(operation: str, code: str, status: int | None, *, is_denied: bool) -> str:
    """What helps against an error, where the server's code does not say it."""
    if operation == COPY and is_denied:
        return (
            "let the path's account read the source's buckets and write the target's, or leave 'transfer' out of the "
            "path: files are streamed then"
        )
    if operation == COPY and status == 501:
        return "it makes no copy that overwrites nothing, so leave 'transfer' out of the path: files are streamed then"
    if operation == SEAL and code == "InvalidRequest":
        return "the bucket was made without Object Lock; remove it, and it is made anew with that"
    return _WAYS_OUT.get(code, "")


def _code(error: Exception) -> str:
    return error.code or "" if isinstance(error, S3Error | NotDeletedError | WireError) else ""


def _status(error: Exception) -> int | None:
    if isinstance(error, S3Error):
        return getattr(error.response, "status", None)
    if isinstance(error, WireError):
        return error.status
    if isinstance(error, ServerError):
        return error.status_code
    if isinstance(error, InvalidResponseError):
        return error._code  # noqa: SLF001 - it tells it in its text only
    return None


# Objects


def info(found: Object) -> ObjectInfo:
    """An object as the SDK describes it."""
    user = {name.removeprefix(USER_METADATA): value for name, value in kept_headers(found).items() if _is_user(name)}
    return ObjectInfo(
        key=found.object_name or "",
        size=found.size or 0,
        etag=(found.etag or "").strip('"'),
        content_type=found.content_type or "application/octet-stream",
        metadata={name: _decoded(value) for name, value in user.items() if name != WRITE_MARK},
        modified=found.last_modified,
    )


def described(key: str, headers: Mapping[str, str]) -> ObjectInfo:
    """An object as the headers of an answer describe it, by lower-case names.

    Raises:
        ValueError: it is not an answer of S3.
    """
    try:
        found = Object(
            "",
            key,
            last_modified=parsedate_to_datetime(headers["last-modified"]),
            etag=headers["etag"],
            size=int(headers["content-length"]),
            content_type=headers.get("content-type"),
            metadata=dict(headers),
        )
    except KeyError as missing:
        raise ValueError(f"an answer without {missing}") from None
    return info(found)


def copied_etag(answer: bytes) -> str:
    """The etag of a copy. A copy's answer begins before the copy has ended, so its status says nothing.

    Raises:
        WireError: the server failed after it had begun to answer.
        ParseError: it is not an answer of S3.
    """
    root = fromstring(answer)  # noqa: S314 - see `error_code`
    etag = root.findtext("{*}ETag")
    if etag is None:
        raise WireError(200, root.findtext("{*}Code") or "an answer without an etag")
    return etag.strip('"')


def mark(found: Object) -> str | None:
    """Which create-only write made an object, if one did."""
    return kept_headers(found).get(USER_METADATA + WRITE_MARK)


def is_copy(found: Object, source: Object) -> bool:
    """Whether an object is what a copy of the source would be; AWS gives the copy of an upload in parts a new etag."""
    one, other = info(found), info(source)
    same_mark = mark(found) is not None and mark(found) == mark(source)
    return one.size == other.size and (one.etag == other.etag or same_mark)


def kept_headers(found: Object) -> dict[str, str]:
    """The headers that belong to an object and go with its copy, by lower-case names: user metadata and a few more."""
    headers = {name.lower(): str(value) for name, value in (found.metadata or {}).items()}
    return {name: value for name, value in headers.items() if _is_user(name) or name in _KEPT_HEADERS}


def headers_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """User metadata as headers, which are ASCII and lose spaces at their ends."""
    return {USER_METADATA + name.lower(): quote(value, safe="") or _EMPTY for name, value in metadata.items()}


def _decoded(value: str) -> str:
    return "" if value == _EMPTY else unquote(value)


def _is_user(header: str) -> bool:
    return header.startswith(USER_METADATA)
