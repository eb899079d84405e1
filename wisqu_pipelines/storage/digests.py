"""The checksum of one of many objects."""

from wisqu_pipelines.errors import ObjectMissing
from wisqu_pipelines.ports.hashing import sha256_of
from wisqu_pipelines.ports.objects import ObjectStore


def sha256_at(store: ObjectStore, bucket: str, key: str) -> str | None:
    """The SHA-256 (hex) of an object's bytes, or None if there is none."""
    try:
        with store.read(bucket, key) as chunks:
            return sha256_of(chunks)
    except ObjectMissing:
        return None
