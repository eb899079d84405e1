"""The picture of a sweep: what goes, how old it is, and what is due and stays."""

from collections import Counter

from matplotlib.figure import Figure

from wisqu_pipelines.assets import markdown
from wisqu_pipelines.assets.charts import bars, png
from wisqu_pipelines.retention.report import SweepReport

GOES, AGED, STAYS = "#c2543a", "#2c6fbb", "#2f7d5b"
REASONS_SHOWN = 6


def picture(report: SweepReport) -> bytes:
    """A PNG of three bar charts side by side."""
    figure = Figure(figsize=(11.5, 3.2), layout="constrained", facecolor="white")
    going, ages, staying = figure.subplots(1, 3)
    would = "would be hidden" if report.is_dry_run else "marked"
    rows = {name: each.rows for name, each in report.types.items()}
    old: Counter[str] = Counter()
    stays: Counter[str] = Counter()
    for each in report.types.values():
        old.update(each.ages)
        stays.update(each.stays)
    for axes, title, counts, colour in (
        (going, f"Rows in {report.environment} that {'are ' if not report.is_dry_run else ''}{would}", rows, GOES),
        (ages, "How many days old they are", dict(sorted(old.items(), key=_youngest)), AGED),
        (staying, "Due, and stay", dict(stays.most_common(REASONS_SHOWN)), STAYS),
    ):
        shown = {name: (count, markdown.number(count)) for name, count in counts.items()}
        bars(axes, title, shown, [colour] * len(shown))
    return png(figure)


def _youngest(span: tuple[str, int]) -> int:
    """Where a span of days begins: `30-90`, `365+`."""
    return int(span[0].partition("-")[0].rstrip("+"))
