"""What is asked of S3 where there is much of it: one request for one object."""

import hashlib
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from minio.commonconfig import COMPLIANCE

from wisqu_pipelines.ports.objects import CopyRequest, NewObject
from wisqu_pipelines.storage.s3_answers import WRITE_MARK, headers_of
from wisqu_pipelines.storage.s3_signing import path_of
from wisqu_pipelines.storage.s3_wire import Ask

if TYPE_CHECKING:
    from hashlib import _Hash

IF_NEW = {"if-none-match": "*"}
"""What makes a write, or a copy, overwrite nothing."""


def copy(request: CopyRequest) -> Ask:
    """A copy inside the server, of that version and no other."""
    headers = {
        "x-amz-copy-source": path_of(request.source_bucket, request.source_key),
        "x-amz-copy-source-if-match": f'"{request.source_etag}"',
        "x-amz-metadata-directive": "COPY",
        **IF_NEW,
    }
    return Ask("PUT", request.bucket, request.key, headers)


def creation(marked: tuple[NewObject, str]) -> Ask:
    """An object that is made, with the mark of this write."""
    new, mark = marked
    headers = headers_of({**new.metadata, WRITE_MARK: mark}) | IF_NEW
    return Ask("PUT", new.bucket, new.key, headers, new.data, content_type=new.content_type)


def sealing(bucket: str, key: str, data: bytes, until: datetime) -> Ask:
    """An object that nobody can change or delete before a time. S3 wants a checksum of what is locked, and the SDK
    sends one over TLS only.
    """
    headers = {
        "content-md5": b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(),
        "x-amz-object-lock-mode": COMPLIANCE,
        "x-amz-object-lock-retain-until-date": f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    return Ask("PUT", bucket, key, headers, data)


def version(wanted: tuple[str, str, str]) -> Ask:
    """An object (bucket, key), with all of its bytes, if its etag is this one."""
    bucket, key, etag = wanted
    return Ask("GET", bucket, key, {"if-match": f'"{etag}"'})


def hashed(place: "tuple[str, str, _Hash]") -> Ask:
    """An object (bucket, key), whose bytes go into a hash as they arrive."""
    bucket, key, into = place
    return Ask("GET", bucket, key, sink=into.update)
