"""The object store port on S3: MinIO, AWS, SeaweedFS, whatever speaks it."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, unquote
from uuid import uuid4

import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError

from wisqu_pipelines.errors import (
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    StoreDenied,
    StoreFailed,
    StoreUnavailable,
    WisquError,
)
from wisqu_pipelines.ports.objects import ObjectInfo
from wisqu_pipelines.settings import ObjectStoreSettings
from wisqu_pipelines.storage.retries import with_retries

STORE = "object store"
CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
CONNECTIONS = 32
READ_CHUNK = 256 * 1024
"""Bytes in one piece of a stream."""
PART = 8 * 1024 * 1024
"""Bytes in one part of a multipart upload; also what an upload holds in memory at a time."""
DELETED_AT_ONCE = 1_000
"""Keys in one request, as S3 allows."""
COPY_LIMIT = 5 * 1024**3
"""Bytes; S3 copies larger objects in parts only."""
WRITE_MARK = "wisqu-write"
"""User metadata that names one create-only write, so that after a lost reply it is known whether it was ours."""

_MISSING = {"NoSuchKey", "NoSuchBucket", "NoSuchObject", "NotFound", "ResourceNotFound"}
_DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled", "AccountProblem"}
_TRANSIENT = {"InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "OperationAborted"}
_PASSING_STATUS = {429, 500, 502, 503, 504}

Result = TypeVar("Result")


class _ConditionalPool(urllib3.PoolManager):
    """Adds a condition to the writes of a thread that asks for it; the SDK has no door for that header."""

    def __init__(self) -> None:
        super().__init__(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            maxsize=CONNECTIONS,
            block=False,
            retries=False,
        )
        self._condition = threading.local()

    @contextmanager
    def create_only(self) -> Iterator[None]:
        """While the block runs, this thread's writes fail where there is an object already."""
        self._condition.create_only = True
        try:
            yield
        finally:
            self._condition.create_only = False

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
        if getattr(self._condition, "create_only", False) and method == "PUT" and "partNumber=" not in url:
            kw["headers"] = {**(kw.get("headers") or {}), "If-None-Match": "*"}
        return super().urlopen(method, url, redirect=redirect, **kw)


class S3ObjectStore:
    """One S3 account, through the `minio` client. Safe to use from several threads."""

    def __init__(self, settings: ObjectStoreSettings) -> None:
        """Use the account that the settings name; nothing is connected yet."""
        self._pool = _ConditionalPool()
        self._endpoint = settings.endpoint
        self._client = Minio(
            settings.endpoint,
            access_key=settings.access_key,
            secret_key=settings.secret_key.get_secret_value(),
            secure=settings.secure,
            region=settings.region,
            http_client=self._pool,
        )

    def __repr__(self) -> str:
        return f"S3ObjectStore({self._endpoint})"

    def ensure_bucket(self, bucket: str) -> None:
        """Make the bucket if it is not there."""

        def make(_: int) -> None:
            try:
                if not self._client.bucket_exists(bucket):
                    self._client.make_bucket(bucket)
            except S3Error as error:
                if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise

        self._do("make a bucket", make, bucket)

    def bucket_exists(self, bucket: str) -> bool:
        """Whether the bucket is there."""
        return self._do("look for a bucket", lambda _: self._client.bucket_exists(bucket), bucket)

    def stat(self, bucket: str, key: str) -> ObjectInfo | None:
        """What is known of an object, or None if there is none."""
        try:
            return _info(self._do("stat", lambda _: self._client.stat_object(bucket, key), bucket, key))
        except ObjectMissing:
            return None

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects whose key starts with `prefix`, in key order, page by page."""
        found = self._client.list_objects(bucket, prefix=prefix, recursive=True)
        while page := self._do("list", lambda _: list(islice(found, DELETED_AT_ONCE)), bucket):
            yield from (_info(each) for each in page if not each.is_dir)

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
        """Write `size` bytes read from `data`; a seekable stream is rewound for another attempt."""
        start = data.tell() if data.seekable() else None
        mark = uuid4().hex
        encoded: dict[str, str | list[str] | tuple[str]] = {
            name: quote(value, safe=" /:;,.-_()[]") for name, value in (metadata or {}).items()
        }
        if create_only:
            encoded[WRITE_MARK] = mark

        def write(attempt: int) -> None:
            if attempt > 1 and start is not None:
                data.seek(start)
            self._client.put_object(
                bucket,
                key,
                data,
                size,
                content_type=content_type,
                metadata=encoded,
                part_size=PART,
                num_parallel_uploads=1,
            )

        if not create_only:
            self._do("put", write, bucket, key, repeatable=start is not None)
        else:
            if size > PART and self.stat(bucket, key) is not None:  # the condition holds for single requests only
                raise ObjectExists(bucket=bucket, key=key)
            try:
                with self._pool.create_only():
                    self._do("put", write, bucket, key, repeatable=start is not None)
            except ObjectChanged as error:
                if not self._is_ours(bucket, key, mark):
                    raise ObjectExists(bucket=bucket, key=key) from error
        found = self.stat(bucket, key)
        if found is None:
            raise ObjectMissing(bucket=bucket, key=key)
        return found

    @contextmanager
    def read(self, bucket: str, key: str, *, etag: str | None = None) -> Iterator[Iterator[bytes]]:
        """Stream an object's bytes; with `etag`, that version or nothing."""
        condition: dict[str, str | list[str] | tuple[str]] | None = {"If-Match": f'"{etag}"'} if etag else None
        response = self._do(
            "read", lambda _: self._client.get_object(bucket, key, request_headers=condition), bucket, key
        )
        try:
            yield self._chunks(response, bucket, key)
        finally:
            response.close()
            response.release_conn()

    def copy(self, source_bucket: str, source_key: str, bucket: str, key: str, *, source_etag: str) -> ObjectInfo:
        """Copy inside the server, create-only and pinned to the source's version."""
        if self.stat(bucket, key) is not None:  # not every server heeds the condition on a copy
            raise ObjectExists(bucket=bucket, key=key)
        source = CopySource(source_bucket, source_key, match_etag=source_etag)

        def copy(_: int) -> None:
            about = self._client.stat_object(source_bucket, source_key)
            if about.size is not None and about.size > COPY_LIMIT:
                part = ComposeSource(source_bucket, source_key, match_etag=source_etag)
                self._client.compose_object(bucket, key, [part])
            else:
                self._client.copy_object(bucket, key, source)

        try:
            self._do("copy", copy, source_bucket, source_key)
        except ObjectChanged:
            if (found := self.stat(bucket, key)) is not None:
                raise ObjectExists(bucket=bucket, key=key) from None
            raise
        found = self.stat(bucket, key)
        if found is None:
            raise ObjectMissing(bucket=bucket, key=key)
        return found

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects in bulk; one that is not there is no error."""
        waiting = iter(keys)
        while chunk := list(islice(waiting, DELETED_AT_ONCE)):

            def remove(_: int, keys: list[str] = chunk) -> None:
                for trouble in self._client.remove_objects(bucket, [DeleteObject(key) for key in keys]):
                    if trouble.code not in _MISSING:
                        cause = f"{trouble.code} for {trouble.name}"
                        raise StoreFailed(store=STORE, operation="delete", cause=cause)

            self._do("delete", remove, bucket)

    def _is_ours(self, bucket: str, key: str, mark: str) -> bool:
        """Whether the object that stands there is the one that an earlier attempt of this write made."""
        about = self._do("stat", lambda _: self._client.stat_object(bucket, key), bucket, key)
        return _metadata(about).get(WRITE_MARK) == mark

    def _chunks(self, response: Any, bucket: str, key: str) -> Iterator[bytes]:
        try:
            yield from response.stream(READ_CHUNK)
        except HTTPError as error:
            raise _translated(error, "read", bucket, key) from error

    def _do(
        self,
        operation: str,
        act: Callable[[int], Result],
        bucket: str,
        key: str = "",
        *,
        repeatable: bool = True,
    ) -> Result:
        try:
            return with_retries(act, _is_transient) if repeatable else act(1)
        except (MinioException, HTTPError) as error:
            raise _translated(error, operation, bucket, key) from error


def _is_transient(error: Exception) -> bool:
    if isinstance(error, S3Error):
        status = getattr(error.response, "status", None)
        return error.code in _TRANSIENT or status in _PASSING_STATUS
    if isinstance(error, ServerError):
        return error.status_code in _PASSING_STATUS
    return isinstance(error, HTTPError)


def _translated(error: Exception, operation: str, bucket: str, key: str) -> WisquError:
    """A vendor's error as ours. The SDK's messages name hosts and signed headers; only the code is repeated."""
    if isinstance(error, S3Error):
        code = error.code or ""
        status = getattr(error.response, "status", None)
        if code in _MISSING or status == 404:
            return ObjectMissing(bucket=bucket, key=key)
        if code == "PreconditionFailed" or status == 412:
            return ObjectChanged(bucket=bucket, key=key)
        if code in _DENIED or status in {401, 403}:
            return StoreDenied(store=STORE, operation=f"{operation} {bucket}", cause=code or f"status {status}")
        if _is_transient(error):
            return StoreUnavailable(store=STORE, operation=operation, cause=code)
        return StoreFailed(store=STORE, operation=f"{operation} {bucket}", cause=code or f"status {status}")
    if isinstance(error, ServerError):
        return StoreUnavailable(store=STORE, operation=operation, cause=f"status {error.status_code}")
    if isinstance(error, InvalidResponseError):
        return StoreFailed(store=STORE, operation=operation, cause="an answer that is not S3's")
    if isinstance(error, HTTPError):
        return StoreUnavailable(store=STORE, operation=operation, cause=type(error).__name__)
    return StoreFailed(store=STORE, operation=operation, cause=type(error).__name__)


def _info(found: Object) -> ObjectInfo:
    metadata = {name: unquote(value) for name, value in _metadata(found).items() if name != WRITE_MARK}
    return ObjectInfo(
        key=found.object_name or "",
        size=found.size or 0,
        etag=(found.etag or "").strip('"'),
        content_type=found.content_type or "application/octet-stream",
        metadata=metadata,
        modified=found.last_modified,
    )


def _metadata(found: Object) -> dict[str, str]:
    """The user's metadata, by lower-case names without S3's prefix."""
    prefix = re.compile(r"^x-amz-meta-", re.IGNORECASE)
    return {
        prefix.sub("", name).lower(): str(value) for name, value in (found.metadata or {}).items() if prefix.match(name)
    }
