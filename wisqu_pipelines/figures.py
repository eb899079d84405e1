"""How people read figures, wherever they read them: in a terminal, in Dagster, in a report or on the page."""

NOTHING = "–"


def number(value: int) -> str:
    """A whole number with its thousands set apart."""
    return f"{value:,}"


def counted(value: int, one: str) -> str:
    """A number of things: `one` is what one of them is called, and more of them take an s."""
    return f"{number(value)} {one}" if value == 1 else f"{number(value)} {one}s"


def plain(value: object) -> str:
    """A value as people read it: yes and no, and a dash for nothing."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


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
