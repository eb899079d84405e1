"""Charts as SVG inside a page: they take its colours, light or dark, and need nothing from elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from html import escape

from wisqu_pipelines.errors import printable

WIDTH, HEIGHT = 720, 190
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 28
LABEL_WIDTH, BAR_HEIGHT = 210, 24
LABEL_CHARACTERS = 32
DATES_SHOWN = 8
UNIT = 1024

Told = Callable[[float], str]


def columns(days: Sequence[date], series: Mapping[str, Sequence[int]], classes: Mapping[str, str], about: str) -> str:
    """A column for each day, in which the series stand on one another.

    Args:
        days: In their order.
        series: What is counted, with a number for each day.
        classes: The class of each series' colour.
        about: What it shows, for those who do not see it.
    """
    highest = max((sum(each[place] for each in series.values()) for place in range(len(days))), default=0)
    top = _round_up(highest)
    step = (WIDTH - LEFT - RIGHT) / max(len(days), 1)
    width = min(step * 0.7, 44)
    drawn = [_axes(top, lambda value: f"{value:,.0f}"), *_dates(days, lambda place: LEFT + step * (place + 0.5))]
    for place, day in enumerate(days):
        below = 0
        for name, counts in series.items():
            if counts[place]:
                high, low = _y(below + counts[place], top), _y(below, top)
                drawn.append(
                    f'<rect class="{classes[name]}" x="{LEFT + step * (place + 0.5) - width / 2:.1f}" y="{high:.1f}" '
                    f'width="{width:.1f}" height="{low - high:.1f}"><title>{day.isoformat()}: {counts[place]:,} '
                    f"{text(name)}</title></rect>"
                )
                below += counts[place]
    return _picture(HEIGHT, drawn, about)


def sizes(series: Mapping[str, Sequence[tuple[date, int]]], classes: Mapping[str, str], told: Told, about: str) -> str:
    """A line of bytes for each series over the days.

    Args:
        series: Days with their values, in their order.
        classes: The class of each series' colour.
        told: A value as people read it.
        about: What it shows, for those who do not see it.
    """
    seen = sorted({day for each in series.values() for day, _ in each})
    first, last = (seen[0], seen[-1]) if seen else (date.min, date.min)
    span = max((last - first).days, 1)
    largest = max((value for each in series.values() for _, value in each), default=0)
    unit = UNIT ** max((largest.bit_length() - 1) // 10, 0)
    top = _round_up(largest / unit) * unit

    def across(day: date) -> float:
        return LEFT + 12 + (WIDTH - LEFT - RIGHT - 24) * (day - first).days / span

    days = [first + timedelta(days=each) for each in range((last - first).days + 1)] if seen else []
    drawn = [_axes(top, told), *_dates(days, lambda place: across(days[place]))]
    for name, values in series.items():
        points = " ".join(f"{across(day):.1f},{_y(value, top):.1f}" for day, value in values)
        drawn.append(f'<polyline class="line {classes[name]}" points="{points}"/>')
        drawn += [
            f'<circle class="{classes[name]}" cx="{across(day):.1f}" cy="{_y(value, top):.1f}" r="3">'
            f"<title>{day.isoformat()}: {text(name)}, {text(told(value))}</title></circle>"
            for day, value in values
        ]
    return _picture(HEIGHT, drawn, about)


def bars(rows: Sequence[tuple[str, float, str]], told: Told, about: str) -> str:
    """A bar for each row.

    Args:
        rows: The name, the value, and the class of the colour.
        told: A value as people read it.
        about: What it shows, for those who do not see it.
    """
    longest = max((value for _, value, _ in rows), default=0) or 1
    room = WIDTH - LABEL_WIDTH - 110
    drawn = []
    for place, (name, value, colour) in enumerate(rows):
        y = place * BAR_HEIGHT
        length, thick = max(room * value / longest, 1), BAR_HEIGHT - 8
        short = name if len(name) <= LABEL_CHARACTERS else f"{name[: LABEL_CHARACTERS - 1]}…"
        drawn.append(
            f'<text class="label" x="{LABEL_WIDTH - 10}" y="{y + 16}" text-anchor="end">{text(short)}</text>'
            f'<rect class="{colour}" x="{LABEL_WIDTH}" y="{y + 4}" width="{length:.1f}" height="{thick}" rx="2">'
            f"<title>{text(name)}: {text(told(value))}</title></rect>"
            f'<text class="label" x="{LABEL_WIDTH + length + 8:.1f}" y="{y + 16}">{text(told(value))}</text>'
        )
    return _picture(max(len(rows), 1) * BAR_HEIGHT + 4, drawn, about)


def text(value: object) -> str:
    """Any text as HTML that shows exactly it."""
    return escape(printable(str(value), 1_200))


def _picture(height: float, drawn: Sequence[str], about: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{text(about)}">'
        f"<title>{text(about)}</title>{''.join(drawn)}</svg>"
    )


def _axes(top: float, told: Told) -> str:
    shown = ""
    for share in (0, 0.5, 1):
        y = _y(top * share, top)
        shown += (
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="axis" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text(told(top * share))}</text>'
        )
    return shown


def _dates(days: Sequence[date], across: Callable[[int], float]) -> list[str]:
    every = -(-len(days) // DATES_SHOWN) or 1
    return [
        f'<text class="axis" x="{across(place):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{day:%m-%d}</text>'
        for place, day in enumerate(days)
        if place % every == 0
    ]


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)


def _round_up(value: float) -> float:
    """The next number that is easily read, of which a half is one too."""
    step = 1.0
    while step * 10 < value:
        step *= 10
    return next((step * each for each in (2, 4, 6, 8, 10) if step * each >= value), step * 10)
