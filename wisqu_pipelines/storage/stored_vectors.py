"""What becomes of a vector in an index: single precision, and of length 1 where the distance is the angle."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float32]

COSINE = "Cosine"
TOLERANCE = 1e-6
"""Between a stored vector and the same one computed here."""
_SHORTEST = 1e-12
"""A shorter vector has no direction, and stays as it is."""


def stored(vector: Sequence[float], distance: str) -> Vector:
    """The vector as an index keeps it."""
    kept = np.asarray(vector, dtype=np.float32)
    if distance != COSINE:
        return kept
    length = float(np.linalg.norm(kept.astype(np.float64)))
    return kept if length < _SHORTEST else (kept / np.float32(length)).astype(np.float32)


def is_stored_as(found: Sequence[float], given: Sequence[float], distance: str) -> bool:
    """Whether `found` is what became of `given`."""
    wanted = stored(given, distance)
    return len(found) == len(wanted) and bool(
        np.allclose(np.asarray(found, np.float32), wanted, rtol=TOLERANCE, atol=TOLERANCE)
    )
