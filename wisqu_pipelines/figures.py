"""How people read figures, wherever they read them: in a terminal, in Dagster, in a report or on the page."""


def number(value: int) -> str:
    """A whole number with its thousands set apart."""
    return f"{value:,}"


def size(value: int) -> str:
    """A number of bytes, in powers of 1,000."""
    if value < 1_000:
        return f"{value} B"
    amount = float(value)
    for unit in ("kB", "MB", "GB"):
        amount /= 1_000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1_000:.1f} TB"
