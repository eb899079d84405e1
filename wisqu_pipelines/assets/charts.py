"""Bar charts, and pictures inside Markdown."""

import base64
import io
from collections.abc import Mapping, Sequence
from textwrap import shorten

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wisqu_pipelines.assets import markdown

LABEL_CHARACTERS = 46
BARS_OF_ROOM = 4
"""A chart of fewer bars is as high as one of so many, so that one bar is no wall."""


def png(figure: Figure) -> bytes:
    """A figure as a PNG."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=80)
    return drawn.getvalue()


def embedded(picture: bytes, description: str) -> str:
    """A picture as Markdown that carries its own bytes."""
    return f"![{markdown.text(description)}](data:image/png;base64,{base64.b64encode(picture).decode('ascii')})"


def bars(axes: Axes, title: str, rows: Mapping[str, tuple[int, str]], colours: Sequence[str]) -> None:
    """Draw a bar for each row: its name, how long it is, and what stands behind it."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_xticks([])
    if not rows:
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.text(0, 0.5, "none", transform=axes.transAxes, color="#52606d")
        return
    names = [shorten(name, LABEL_CHARACTERS, placeholder="…") for name in rows]
    places = range(len(rows))
    drawn = axes.barh(places, [value for value, _ in rows.values()], color=colours, height=0.6)
    axes.set_yticks(places, names, fontsize=9, parse_math=False)
    axes.bar_label(drawn, [label for _, label in rows.values()], padding=4, fontsize=9)
    axes.margins(x=0.2)
    axes.set_ylim(max(len(rows), BARS_OF_ROOM) - 0.5, -0.5)
