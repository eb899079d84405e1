"""What a spreadsheet would compute instead of showing it (OWASP, CSV injection)."""

import unicodedata

FORMULA_STARTS = ("=", "+", "-", "@")
"""A spreadsheet runs a cell that begins with one of these."""


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run the text; it takes the full-width variants of the signs as well."""
    return unicodedata.normalize("NFKC", text[:100]).lstrip().startswith(FORMULA_STARTS)


def as_cell(text: str) -> str:
    """A text as a spreadsheet shows it and does not compute it."""
    return f"'{text}" if is_formula(text) else text
