"""The object store port on S3: MinIO, AWS, SeaweedFS, whatever speaks it and heeds conditions on writes."""

import hashlib
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from itertools import groupby, islice
from typing import BinaryIO, TypeVar
from uuid import uuid4
from xml.etree.ElementTree import ParseError

from minio import Minio
from minio.commonconfig import ComposeSource
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from wisqu_pipelines.errors import BadInput, ObjectChanged, ObjectExists, ObjectMissing, StoreFailed
from wisqu_pipelines.ports.hashing import sha256_of
from wisqu_pipelines.ports.objects import CopyOutcome, CopyRequest, NewObject, ObjectInfo
from wisqu_pipelines.settings import ObjectStoreSettings
from wisqu_pipelines.storage import s3_answers, s3_requests
from wisqu_pipelines.storage.connections import BoundedPool
from wisqu_pipelines.storage.copies import copied, got
from wisqu_pipelines.storage.digests import sha256_at
from wisqu_pipelines.storage.keys import check_key, is_usable
from wisqu_pipelines.storage.retries import with_retries
from wisqu_pipelines.storage.s3_answers import USER_METADATA, WRITE_MARK, NotDeletedError
from wisqu_pipelines.storage.s3_reading import Reading
from wisqu_pipelines.storage.s3_transport import CreateOnlyPool
from wisqu_pipelines.storage.s3_wire import Answer, Ask, Upload, Wire, WireError

PART = 8 * 1024 * 1024
"""Bytes in one part of an upload, and what it holds in memory at a time."""
ONE_REQUEST = 256 * 1024 * 1024
"""Most bytes that are uploaded by one request, if they can be read again; S3 allows 5 GiB."""
PIECE = 1024 * 1024
"""Most bytes that are read from a stream at a time."""
COPY_PART = 256 * 1024 * 1024
"""Most bytes that the server copies for one request. S3 allows 5 GiB, but the answer must come before the timeout."""
MOST_PARTS = 10_000
"""Parts of one object, as S3 allows."""
MANY_AT_ONCE = 32
"""Requests that a server works on at a time, where there are many."""
AT_ONCE = 1_000
"""Keys in one request, as S3 allows."""
_ALREADY_THERE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}

Element = TypeVar("Element")
Result = TypeVar("Result")


class S3ObjectStore:
    """One S3 account, through the `minio` client and, for what there is much of, libcurl. Safe to use from
    several threads.
    """

    def __init__(self, settings: ObjectStoreSettings) -> None:
        """Use the account that the settings name; nothing is connected yet."""
        self._endpoint = settings.endpoint
        self._pool = BoundedPool()
        self._wire = Wire(settings)

        def client(pool: BoundedPool | CreateOnlyPool) -> Minio:
            return Minio(
                settings.endpoint,
                access_key=settings.access_key,
                secret_key=settings.secret_key.get_secret_value(),
                secure=settings.secure,
                region=settings.region,
                http_client=pool,
            )

        self._client = client(self._pool)
        self._creator = client(CreateOnlyPool(self._pool))
        """Makes new objects and overwrites none."""

    def __repr__(self) -> str:
        return f"S3ObjectStore({self._endpoint})"

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._pool.clear()
        self._wire.close()

    def ensure_bucket(self, bucket: str) -> None:
        """Make the bucket if it is not there."""
        self._do("make a bucket", lambda _: self._make_bucket(bucket), bucket)

    def _make_bucket(self, bucket: str, *, object_lock: bool = False) -> None:
        try:
            if not self._client.bucket_exists(bucket):
                self._client.make_bucket(bucket, object_lock=object_lock)
        except S3Error as error:
            if error.code not in _ALREADY_THERE:  # somebody else was faster
                raise

    def bucket_exists(self, bucket: str) -> bool:
        """Whether the bucket is there."""
        return self._do("look for a bucket", lambda _: self._client.bucket_exists(bucket), bucket)

    def seal(self, bucket: str, key: str, data: bytes, until: datetime) -> None:
        """Write an object that no account can change or delete before a time."""
        check_key(key)

        def write(_: int) -> None:
            self._make_bucket(bucket, object_lock=True)
            self._wire.request(s3_requests.sealing(bucket, key, data, until))

        self._do(s3_answers.SEAL, write, bucket, key)

    def sealed(self, bucket: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Key and bytes of everything that was ever sealed in a bucket under keys that start with `prefix`."""
        if not self.bucket_exists(bucket):
            return
        versions = self._do(
            "list versions",
            lambda _: list(self._client.list_objects(bucket, prefix, recursive=True, include_version=True)),
            bucket,
        )
        for each in versions:
            if each.is_delete_marker:
                continue
            key, version = str(each.object_name), each.version_id

            def read(_: int, key: str = key, version: str | None = version) -> bytes:
                with closing(self._client.get_object(bucket, key, version_id=version)) as response:
                    return bytes(response.read())

            yield key, self._do("read", read, bucket, key)

    def stat(self, bucket: str, key: str) -> ObjectInfo | None:
        """What is known of an object, or None if there is none."""
        found = self._look(bucket, key)
        return None if found is None else s3_answers.info(found)

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects whose key starts with `prefix`, page by page."""
        last: str | None = None
        listing: Iterator[Object] = iter(())

        def page(attempt: int) -> Sequence[Object]:
            nonlocal listing
            if last is None or attempt > 1:  # an iterator that has raised is at its end, and would hide the rest
                listing = self._client.list_objects(bucket, prefix=prefix, recursive=True, start_after=last)
            return tuple(islice(listing, AT_ONCE))

        while found := self._do("list", page, bucket):
            yield from (s3_answers.info(each) for each in found)
            last = found[-1].object_name

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
        """Write `size` bytes read from `data`; a seekable stream is rewound for another attempt.

        Create-only holds against anybody for what goes in one request: up to `ONE_REQUEST`, or up to `PART` of a stream
        that cannot be rewound. A larger object appears at the end of a multipart upload, and there it is up to the
        server: SeaweedFS 4.48 looks first and writes then, so that two who end at the same moment may both be told that
        they made it.
        """
        check_key(key)
        start = data.tell() if data.seekable() else None
        client, headers, mark = self._client, s3_answers.headers_of(metadata or {}), uuid4().hex
        if create_only:
            client, headers = self._creator, headers | s3_answers.headers_of({WRITE_MARK: mark})
            if size > PART and self._look(bucket, key) is not None:  # before all its bytes are sent in vain
                raise ObjectExists(bucket=bucket, key=key)
        long: Upload | None = None
        if start is not None and PART < size <= ONE_REQUEST:
            long = Upload(data, start, size, sha256_of(_pieces(data, size)))

        def write(attempt: int) -> str:
            if attempt > 1 and start is not None:
                data.seek(start)
            if long or size <= PART:
                condition = s3_requests.IF_NEW if create_only else {}
                body = long or b"".join(_pieces(data, size))
                return self._put_whole(Ask("PUT", bucket, key, headers | condition, body, content_type=content_type))
            try:
                written = client.put_object(
                    bucket,
                    key,
                    data,
                    size,
                    content_type=content_type,
                    metadata=_sdk_headers(headers),
                    part_size=max(PART, math.ceil(size / MOST_PARTS)),
                    num_parallel_uploads=1,
                )
            except OSError as error:
                if error.errno is not None:  # the caller's own stream
                    raise
                raise _ended_before(size) from None
            return written.etag or self._etag(bucket, key)

        repeatable = start is not None
        if create_only:
            etag = self._create(lambda: self._do("put", write, bucket, key, repeatable=repeatable), bucket, key, mark)
        else:
            etag = self._do("put", write, bucket, key, repeatable=repeatable)
        written_metadata = {name.lower(): value for name, value in (metadata or {}).items()}
        return ObjectInfo(key, size, etag.strip('"'), content_type, written_metadata)

    def _put_whole(self, ask: Ask) -> str:
        return self._wire.request(ask).headers.get("etag", "")

    def create_many(self, objects: Iterable[NewObject]) -> Iterator[BadInput | ObjectExists | None]:
        """`put` with `create_only` for many, `MANY_AT_ONCE` at once; what does not succeed at once is written by
        itself, with all that `put` does about it.
        """
        marked = ((each, uuid4().hex) for each in objects)
        with closing(self._many(marked, _is_sendable, s3_requests.creation)) as found:
            for (new, mark), answer in found:
                yield None if isinstance(answer, Answer) else self._created(new, mark)

    def _created(self, new: NewObject, mark: str) -> BadInput | ObjectExists | None:
        def write(_: int) -> str:
            return self._put_whole(s3_requests.creation((new, mark)))

        try:
            check_key(new.key)
            self._create(lambda: self._do("put", write, new.bucket, new.key), new.bucket, new.key, mark)
        except (BadInput, ObjectExists) as error:
            return error
        return None

    def get(self, bucket: str, key: str, *, etag: str) -> tuple[ObjectInfo, bytes]:
        """What is known of a small object, and its bytes."""

        def read(_: int) -> tuple[ObjectInfo, bytes]:
            answer = self._wire.request(s3_requests.version((bucket, key, etag)))
            return s3_answers.described(key, answer.headers), answer.body

        return self._do("read", read, bucket, key)

    def get_many(
        self, objects: Iterable[tuple[str, str, str]]
    ) -> Iterator[tuple[ObjectInfo, bytes] | ObjectMissing | ObjectChanged]:
        """`get` for many, `MANY_AT_ONCE` at once; what has no answer at once is asked for by itself."""
        found = self._many(objects, lambda each: is_usable(each[1]), s3_requests.version)
        return (self._got(each, answer) for each, answer in found)

    def _got(
        self, version: tuple[str, str, str], answer: Answer | WireError | None
    ) -> tuple[ObjectInfo, bytes] | ObjectMissing | ObjectChanged:
        if isinstance(answer, Answer):
            with suppress(ValueError):
                return s3_answers.described(version[1], answer.headers), answer.body
        return got(self.get, *version)

    @contextmanager
    def read(self, bucket: str, key: str, *, etag: str | None = None) -> Iterator[Iterator[bytes]]:
        """Stream an object's bytes; with `etag`, that version or nothing."""

        def open_at(pinned: str | None, offset: int) -> BaseHTTPResponse:
            condition = _sdk_headers({"If-Match": f'"{pinned}"'} if pinned else {})
            return self._do(
                "read",
                lambda _: self._client.get_object(bucket, key, offset=offset, request_headers=condition),
                bucket,
                key,
            )

        def chunks() -> Iterator[bytes]:
            try:
                yield from reading.chunks()
            except HTTPError as error:
                raise s3_answers.translated(error, "read", bucket, key) from error

        with closing(Reading(open_at, etag)) as reading:
            yield chunks()

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
        """Copy inside the server in one request, which names both conditions; only a refusal is looked into.

        A server that does not heed `If-None-Match` on a copy overwrites: see the port. What is larger than `COPY_PART`,
        or of a size that is not known, is looked at first, on both sides.
        """
        check_key(key)
        if size is None or size > COPY_PART:
            return self._copy_in_parts(source_bucket, source_key, bucket, key, source_etag)
        request = CopyRequest(source_bucket, source_key, source_etag, bucket, key, size)
        ask = s3_requests.copy(request)

        def copy(_: int) -> str:
            return s3_answers.copied_etag(self._wire.request(ask).body)

        try:
            etag = self._do(s3_answers.COPY, copy, source_bucket, source_key)
        except (ObjectMissing, ObjectChanged) as refusal:  # because of which of the two?
            source = self._unchanged(source_bucket, source_key, source_etag)
            found = self._look(bucket, key)
            if found is None:
                raise
            if not s3_answers.is_copy(found, source):
                raise ObjectExists(bucket=bucket, key=key) from refusal
            return s3_answers.info(found).etag
        return self._pinned(request, etag)

    def copy_many(self, requests: Iterable[CopyRequest]) -> Iterator[CopyOutcome]:
        """`copy` for many, `MANY_AT_ONCE` at once. What does not succeed at once is copied by itself, with all that
        `copy` does about it.
        """
        with closing(self._many(requests, _is_small_copy, s3_requests.copy)) as found:
            for request, answer in found:
                yield self._copied(request, answer)

    def _copied(self, request: CopyRequest, answer: Answer | WireError | None) -> CopyOutcome:
        if isinstance(answer, Answer):
            with suppress(WireError, ParseError):
                etag = s3_answers.copied_etag(answer.body)
                try:
                    return CopyOutcome(request, self._pinned(request, etag))
                except (ObjectMissing, ObjectChanged) as error:
                    return CopyOutcome(request, error=error)
        return copied(self.copy, request)

    def _pinned(self, request: CopyRequest, etag: str) -> str:
        """The etag of a copy that was made, of the version that was asked for: Ceph 16 heeds no condition on a copy,
        and says nothing. A copy of that version mostly has its etag, and costs no further look; the copy of an upload
        in parts has another one on AWS, and so has what is encrypted with keys of its own.

        Raises:
            ObjectMissing: the source is gone.
            ObjectChanged: the source is another version, and so may the copy be.
        """
        if etag != request.source_etag:
            self._unchanged(request.source_bucket, request.source_key, request.source_etag)
        return etag

    def stat_many(self, objects: Iterable[tuple[str, str]]) -> Iterator[ObjectInfo | None]:
        """`stat` for many, `MANY_AT_ONCE` at once; what has no answer at once is asked for by itself."""
        found = self._many(objects, lambda place: is_usable(place[1]), lambda place: Ask("HEAD", *place))
        return (self._stated(*place, answer) for place, answer in found)

    def _stated(self, bucket: str, key: str, answer: Answer | WireError | None) -> ObjectInfo | None:
        if isinstance(answer, Answer):
            with suppress(ValueError):
                return s3_answers.described(key, answer.headers)
        return self.stat(bucket, key)

    def sha256_many(self, objects: Iterable[tuple[str, str]]) -> Iterator[str | None]:
        """SHA-256 of many objects' bytes, `MANY_AT_ONCE` at once; what does not arrive at once is read by itself."""
        hashed = ((*place, hashlib.sha256()) for place in objects)
        found = self._many(hashed, lambda each: is_usable(each[1]), s3_requests.hashed)
        for (bucket, key, arrived), answer in found:
            yield arrived.hexdigest() if isinstance(answer, Answer) else sha256_at(self, bucket, key)

    def _many(
        self, elements: Iterable[Element], is_sent: Callable[[Element], bool], ask: Callable[[Element], Ask]
    ) -> Generator[tuple[Element, Answer | WireError | None], None, None]:
        """Each element with what came of its request, `MANY_AT_ONCE` at once; None for one that is not sent."""
        for is_asked, some in groupby(elements, is_sent):
            if not is_asked:
                yield from ((each, None) for each in some)
                continue
            waiting: deque[Element] = deque()
            asks = (ask(each) for each in _remembered(some, waiting))
            with closing(self._wire.many(asks, MANY_AT_ONCE)) as answers:
                for answer in answers:
                    yield waiting.popleft(), answer

    def _copy_in_parts(self, source_bucket: str, source_key: str, bucket: str, key: str, source_etag: str) -> str:
        source = self._unchanged(source_bucket, source_key, source_etag)
        size = source.size or 0
        if size <= COPY_PART:
            return self.copy(source_bucket, source_key, bucket, key, source_etag=source_etag, size=size)
        if self._look(bucket, key) is not None:  # before all its bytes are copied in vain
            raise ObjectExists(bucket=bucket, key=key)
        mark = uuid4().hex
        headers = _sdk_headers(s3_answers.kept_headers(source) | s3_answers.headers_of({WRITE_MARK: mark}))
        parts = [
            ComposeSource(source_bucket, source_key, offset=offset, length=length, match_etag=source_etag)
            for offset, length in _parts(size)
        ]

        def compose(_: int) -> str:
            return self._creator.compose_object(bucket, key, parts, metadata=headers).etag or self._etag(bucket, key)

        etag = self._create(lambda: self._do(s3_answers.COPY, compose, source_bucket, source_key), bucket, key, mark)
        self._unchanged(source_bucket, source_key, source_etag)  # so each part is of it, whatever conditions are heeded
        return etag.strip('"')

    def _unchanged(self, bucket: str, key: str, etag: str) -> Object:
        found = self._look(bucket, key)
        if found is None:
            raise ObjectMissing(bucket=bucket, key=key)
        if s3_answers.info(found).etag != etag:
            raise ObjectChanged(bucket=bucket, key=key)
        return found

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects in bulk; one that is not there is no error."""
        waiting = iter(keys)
        while chunk := tuple(islice(waiting, AT_ONCE)):

            def remove(_: int, chunk: Sequence[str] = chunk) -> None:
                for trouble in self._client.remove_objects(bucket, [DeleteObject(key) for key in chunk]):
                    if trouble.code not in s3_answers.NO_OBJECT:
                        raise NotDeletedError(trouble)

            self._do("delete", remove, bucket)

    def _create(self, write: Callable[[], str], bucket: str, key: str, mark: str) -> str:
        """Make an object that was not there. After a lost reply, the object in the way may be our own.

        Returns:
            Its etag.

        Raises:
            ObjectExists: it is somebody else's.
            ObjectChanged: there is nothing in the way; it was the other condition that failed.
        """
        try:
            return write()
        except ObjectChanged:
            found = self._look(bucket, key)
            if found is None:
                raise
            if s3_answers.mark(found) != mark:
                raise ObjectExists(bucket=bucket, key=key) from None
            return found.etag or ""

    def _etag(self, bucket: str, key: str) -> str:
        """The etag of what was just written in parts: Ceph 16 answers an end that is repeated with an empty one."""
        return self._client.stat_object(bucket, key).etag or ""

    def _look(self, bucket: str, key: str) -> Object | None:
        try:
            return self._do("stat", lambda _: self._client.stat_object(bucket, key), bucket, key)
        except ObjectMissing:
            return None

    def _do(
        self, operation: str, act: Callable[[int], Result], bucket: str, key: str = "", *, repeatable: bool = True
    ) -> Result:
        """Do something with the server; the one place where the SDK's errors become ours."""
        try:
            return with_retries(act, s3_answers.is_transient) if repeatable else act(1)
        except s3_answers.VENDOR_ERRORS as error:
            raise s3_answers.translated(error, operation, bucket, key) from error


def _is_small_copy(request: CopyRequest) -> bool:
    """Whether a copy is one request, and nothing about it is seen to be wrong."""
    return request.size is not None and request.size <= COPY_PART and is_usable(request.key)


def _pieces(data: BinaryIO, size: int) -> Iterator[bytes]:
    """So many bytes, of a stream that may give fewer at a time."""
    left = size
    while left and (piece := data.read(min(left, PIECE))):
        yield piece
        left -= len(piece)
    if left:
        raise _ended_before(size)


def _ended_before(size: int) -> StoreFailed:
    return StoreFailed(store=s3_answers.STORE, operation="put", cause=f"the stream ended before its {size} bytes")


def _is_sendable(marked: tuple[NewObject, str]) -> bool:
    """Whether nothing is seen to be wrong with an object that is to be made."""
    return is_usable(marked[0].key) and marked[0].content_type.isprintable()


def _remembered(elements: Iterable[Element], waiting: deque[Element]) -> Iterator[Element]:
    """The elements, each of which is waiting for what becomes of it from when it is taken."""
    for each in elements:
        waiting.append(each)
        yield each


def _parts(size: int) -> Iterator[tuple[int, int]]:
    """Offset and length of each part of a copy of `size` bytes."""
    length = max(COPY_PART, math.ceil(size / MOST_PARTS))
    return ((offset, min(length, size - offset)) for offset in range(0, size, length))


def _sdk_headers(headers: Mapping[str, str]) -> dict[str, str | list[str] | tuple[str]]:
    """Headers in the SDK's type, which is invariant, and with its spelling of names: it adds those that it misses."""
    return {name if name.startswith(USER_METADATA) else name.title(): value for name, value in headers.items()}
