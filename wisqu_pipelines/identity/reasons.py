"""The reason that a person gives for what they do: it is kept for good, so it has to be fit to keep."""

import unicodedata

from wisqu_pipelines.errors import BadInput

MAX_CHARACTERS = 500


def check_reason(reason: str | None) -> str | None:
    """The reason without white space around it; None for none.

    Raises:
        BadInput: it is too long, or has characters that cannot be kept or seen.
    """
    if reason is None or not reason.strip():
        return None
    trimmed = reason.strip()
    if len(trimmed) > MAX_CHARACTERS:
        limit = f"it has {len(trimmed)} characters, and at most {MAX_CHARACTERS} are allowed"
        raise BadInput(what="the reason", reason=limit)
    if any(unicodedata.category(each) in {"Cc", "Cs"} and each not in "\t\n" for each in trimmed):
        raise BadInput(what="the reason", reason="it has control characters, or is no valid Unicode")
    return trimmed
