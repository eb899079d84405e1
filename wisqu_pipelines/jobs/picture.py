"""The picture of a plan: what goes, what is blocked and why, bytes by type."""

from matplotlib.figure import Figure

from wisqu_pipelines.assets import markdown
from wisqu_pipelines.assets.charts import bars, png
from wisqu_pipelines.jobs.report import blocked_reasons
from wisqu_pipelines.promotion.models import Effect
from wisqu_pipelines.promotion.results import PromotionPreview

COLOURS = {"create": "#2f7d5b", "update": "#2c6fbb", "unchanged": "#9aa5b1", "blocked": "#c2543a"}
"""One for each effect; they differ in lightness too."""
REASONS_SHOWN = 5


def picture(preview: PromotionPreview) -> bytes:
    """A PNG of three bar charts side by side."""
    figure = Figure(figsize=(11.5, 3.2), layout="constrained", facecolor="white")
    effects, reasons, sizes = figure.subplots(1, 3)
    by_effect = preview.totals["by_effect"]
    bars(
        effects,
        "Items by effect",
        {effect: (total["items"], markdown.number(total["items"])) for effect, total in by_effect.items()},
        [COLOURS.get(effect, COLOURS["unchanged"]) for effect in by_effect],
    )
    blocked = blocked_reasons(preview)
    bars(
        reasons,
        reasons_title(preview),
        {reason: (count, markdown.number(count)) for reason, count in blocked[:REASONS_SHOWN]},
        [COLOURS["blocked"]] * len(blocked[:REASONS_SHOWN]),
    )
    by_type = preview.totals["by_type"]
    bars(
        sizes,
        "Bytes by type",
        {name: (total["bytes"], markdown.size(total["bytes"])) for name, total in by_type.items()},
        [COLOURS["create"]] * len(by_type),
    )
    return png(figure)


def reasons_title(preview: PromotionPreview) -> str:
    """What stands above the reasons: of more blocked items than are shown only the first are counted."""
    shown = sum(item.effect == Effect.BLOCKED for item in preview.items)
    more = f" (the first {markdown.number(shown)} of {markdown.number(preview.blocked_count)})"
    return "Blocked, and why" + (more if shown < preview.blocked_count else "")
