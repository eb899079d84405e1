"""The picture of a plan: what goes, what is blocked and why, bytes by type."""

import base64
import io
from collections.abc import Mapping, Sequence
from textwrap import shorten

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wisqu_pipelines.assets import markdown
from wisqu_pipelines.jobs.report import blocked_reasons
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.results import PromotionPreview

COLOURS = {"create": "#2f7d5b", "update": "#2c6fbb", "unchanged": "#9aa5b1", "blocked": "#c2543a"}
"""One for each effect; they differ in lightness too."""
REASONS_SHOWN = 5
REASON_CHARACTERS = 46
BARS_OF_ROOM = 4
"""A chart of fewer bars is as high as one of so many, so that one bar is no wall."""


def picture(preview: PromotionPreview) -> bytes:
    """A PNG of three bar charts side by side."""
    figure = Figure(figsize=(11.5, 3.2), layout="constrained", facecolor="white")
    effects, reasons, sizes = figure.subplots(1, 3)
    by_effect = preview.totals["by_effect"]
    _bars(
        effects,
        "Items by effect",
        {effect: (total["items"], markdown.number(total["items"])) for effect, total in by_effect.items()},
        [COLOURS.get(effect, COLOURS["unchanged"]) for effect in by_effect],
    )
    blocked = blocked_reasons(preview)
    _bars(
        reasons,
        reasons_title(preview),
        {reason: (count, markdown.number(count)) for reason, count in blocked[:REASONS_SHOWN]},
        [COLOURS["blocked"]] * len(blocked[:REASONS_SHOWN]),
    )
    by_type = preview.totals["by_type"]
    _bars(
        sizes,
        "Bytes by type",
        {name: (total["bytes"], markdown.size(total["bytes"])) for name, total in by_type.items()},
        [COLOURS["create"]] * len(by_type),
    )
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=80)
    return drawn.getvalue()


def reasons_title(preview: PromotionPreview) -> str:
    """What stands above the reasons: of more blocked items than are shown only the first are counted."""
    shown = sum(item.effect == Effect.BLOCKED for item in preview.items)
    more = f" (the first {markdown.number(shown)} of {markdown.number(preview.blocked_count)})"
    return "Blocked, and why" + (more if shown < preview.blocked_count else "")


def embedded(png: bytes, description: str) -> str:
    """A picture as Markdown that carries its own bytes."""
    return f"![{markdown.text(description)}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"


def _bars(axes: Axes, title: str, bars: Mapping[str, tuple[int, str]], colours: Sequence[str]) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_xticks([])
    if not bars:
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.text(0, 0.5, "none", transform=axes.transAxes, color="#52606d")
        return
    names = [shorten(name, REASON_CHARACTERS, placeholder="…") for name in bars]
    places = range(len(bars))
    drawn = axes.barh(places, [value for value, _ in bars.values()], color=colours, height=0.6)
    axes.set_yticks(places, names, fontsize=9, parse_math=False)
    axes.bar_label(drawn, [label for _, label in bars.values()], padding=4, fontsize=9)
    axes.margins(x=0.2)
    axes.set_ylim(max(len(bars), BARS_OF_ROOM) - 0.5, -0.5)
