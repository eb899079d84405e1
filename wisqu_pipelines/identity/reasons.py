"""The reason that a person gives for what they do: it is kept for good, so it has to be fit to keep."""

import unicodedata

from wisqu_pipelines.errors import BadInput

MAX_CHARACTERS = 500
LEAST_SUBSTANCE = 10
"""Letters and digits of a reason that somebody has to give."""
LEAST_VARIETY = 4
"""Different ones among them."""


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


def required_reason(reason: str | None, what: str) -> str:
    """A reason that must be there and say something.

    Args:
        reason: As it was given.
        what: What needs it: the beginning of a sentence.

    Raises:
        BadInput: it is missing, too short, too long, or has characters that cannot be kept or seen.
    """
    checked = check_reason(reason)
    substance = [each for each in (checked or "").casefold() if each.isalnum()]
    if checked is None or len(substance) < LEAST_SUBSTANCE or len(set(substance)) < LEAST_VARIETY:
        said = f"{what} takes one of at least {LEAST_SUBSTANCE} letters or digits that says what for"
        raise BadInput(what="the reason", reason=said)
    return checked
