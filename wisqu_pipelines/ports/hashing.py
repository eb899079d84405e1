"""Checksums, always of the bytes themselves: what a store says about an object is no checksum."""

import hashlib
from collections.abc import Iterable


def sha256_of(chunks: Iterable[bytes]) -> str:
    """The SHA-256 of a stream's bytes, in hex; one chunk is held at a time."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
