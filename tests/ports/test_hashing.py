"""Checksums of bytes."""

import hashlib

from wisqu_pipelines.ports.hashing import sha256_of


def test_the_sum_is_of_the_bytes_however_they_are_cut() -> None:
    data = bytes(range(256)) * 10
    wanted = hashlib.sha256(data).hexdigest()
    assert sha256_of([data]) == wanted
    assert sha256_of(data[start : start + 7] for start in range(0, len(data), 7)) == wanted


def test_nothing_has_a_sum_too() -> None:
    assert sha256_of([]) == sha256_of([b""]) == hashlib.sha256().hexdigest()
