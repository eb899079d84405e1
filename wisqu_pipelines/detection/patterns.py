"""Patterns by a linear-time engine (RE2), so that nobody's pattern can hang a scan."""

from functools import cache
from typing import Any

import re2

from wisqu_pipelines.errors import BadInput

MAX_PATTERN = 1_000
"""Characters."""
MEMORY = 8 * 1024 * 1024
"""Bytes that one compiled pattern may take."""


def compile_pattern(pattern: str) -> Any:
    """A pattern of a person's own, ready to search with.

    Raises:
        BadInput: it is too long, does not compile, or matches the empty string.
    """
    if not pattern.strip():
        raise BadInput(what="the pattern", reason="it is empty")
    if len(pattern) > MAX_PATTERN:
        raise BadInput(what="the pattern", reason=f"it is longer than {MAX_PATTERN} characters")
    try:
        compiled = re2.compile(pattern, options())
    except (re2.error, UnicodeEncodeError) as error:
        raise BadInput(what=f"the pattern '{pattern}'", reason=f"RE2 does not compile it: {_said(error)}") from None
    if compiled.search("") is not None:
        raise BadInput(what=f"the pattern '{pattern}'", reason="it matches the empty string, and so every text")
    return compiled


def found_by(pattern: str, text: str) -> str:
    """What a built-in pattern finds in a text, without the blanks around it; empty if that is nothing."""
    read = text.encode()
    hit = _compiled(pattern).search(read)
    if hit is None:
        return ""
    start, end = hit.span()
    return read[start:end].decode(errors="replace").strip()


@cache
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern.encode(), options())


def options() -> Any:
    """How patterns are compiled: quietly, and within bounded memory."""
    chosen = re2.Options()
    chosen.log_errors = False
    chosen.max_mem = MEMORY
    return chosen


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
