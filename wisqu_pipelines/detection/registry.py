"""All built-in recognisers, and the version that they make together."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from wisqu_pipelines.detection.recogniser import Recogniser
from wisqu_pipelines.detection.recognisers import (
    compositions,
    emails,
    generic,
    keyboard,
    local,
    lorem,
    numbers,
    people,
    purposes,
    qa,
    real,
    sequences,
    spellings,
    unnamed,
)

REVISION = 2
"""Is raised when the engine judges otherwise with the same recognisers."""
GROUPS: Mapping[str, tuple[Recogniser, ...]] = MappingProxyType(
    {
        group.GROUP: group.RECOGNISERS
        for group in (
            generic,
            people,
            emails,
            sequences,
            keyboard,
            lorem,
            numbers,
            qa,
            purposes,
            compositions,
            spellings,
            unnamed,
            local,
            real,
        )
    }
)
"""By the name of their group."""


def version_of(groups: Mapping[str, tuple[Recogniser, ...]]) -> str:
    """What these recognisers are called: another name as soon as a pattern, a weight or an explanation is another."""
    told = repr([(group, each) for group, members in groups.items() for each in members])
    return f"{REVISION}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


DETECTOR_VERSION = version_of(GROUPS)
"""The version of what is built in; what people teach adds to it."""
