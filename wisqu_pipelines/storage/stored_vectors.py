"""What becomes of a vector in an index: single precision, and of length 1 where the distance is the angle."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from wisqu_pipelines.ports.vectors import Numbers

Vector: TypeAlias = npt.NDArray[np.float32]

COSINE = "Cosine"
TOLERANCE = 1e-6
"""Between a stored vector and the same one computed here."""
_SHORTEST = float(np.finfo(np.float32).eps)
"""The squared length under which a vector has no direction, and stays as it is: as `is_length_zero_or_normalized` in
Qdrant."""
_NEAR_ENOUGH = 1e-6
"""How far from 1 the squared length of a vector may be that stays as it is, so that what was read can be written again
without the change of a bit: from the same function."""


def stored(vector: Numbers, distance: str) -> Vector:
    """The vector as an index keeps it."""
    kept = np.asarray(vector, dtype=np.float32)
    if distance != COSINE:
        return kept
    squared = float(np.square(kept.astype(np.float64)).sum())
    if squared < _SHORTEST or abs(squared - 1) <= _NEAR_ENOUGH:
        return kept
    return (kept / np.float32(squared**0.5)).astype(np.float32)


def is_stored_as(found: Numbers, given: Numbers, distance: str) -> bool:
    """Whether `found` is what became of `given`."""
    wanted = stored(given, distance)
    return len(found) == len(wanted) and bool(
        np.allclose(np.asarray(found, np.float32), wanted, rtol=TOLERANCE, atol=TOLERANCE)
    )
