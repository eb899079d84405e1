"""The report as one HTML page: no script, nothing from elsewhere, light and dark."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from wisqu_pipelines.figures import counted, number, size
from wisqu_pipelines.metrics import registry, svg, telling
from wisqu_pipelines.metrics.frames import Row
from wisqu_pipelines.metrics.metric import Kind, Metric
from wisqu_pipelines.metrics.report import Report
from wisqu_pipelines.metrics.svg import text

MOST_ROWS = 200
"""Of one table."""
MOST_BARS = 12
SHORT, LONG = 30, 60
"""Characters of a text that stays on one line, and of one that takes room for several words on each."""
OUTCOMES = {"succeeded": "good", "running": "busy", "planned": "quiet", "refused": "warn", "failed": "bad"} | {
    "rolled_back": "back"
}
"""The columns of `promotions` that are drawn, with the classes of their colours."""
HUES = 6
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ground: #f4f6f8; --ink: #1f2933; --faint: #616e7c;
  --rule: #dde3e9; --good: #2f7d5b; --bad: #c2543a; --warn: #b7791f; --busy: #2c6fbb; --quiet: #9aa5b1; --back: #7b5ea7;
  --h0: #2c6fbb; --h1: #b7791f; --h2: #2f7d5b; --h3: #7b5ea7; --h4: #c2543a; --h5: #3d8b99; }
@media (prefers-color-scheme: dark) { :root { --paper: #1b2229; --ground: #12171c; --ink: #e4e9ee; --faint: #9aa8b5;
  --rule: #313b45; --good: #57b58b; --bad: #e58368; --warn: #dda94f; --busy: #6ba7ea; --quiet: #6c7986;
  --back: #ab8fd8; --h0: #6ba7ea; --h1: #dda94f; --h2: #57b58b; --h3: #ab8fd8; --h4: #e58368; --h5: #68b7c5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.45;
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 0 0 4px; }
h3 { font-size: 15px; margin: 22px 0 6px; }
p { margin: 0 0 12px; } .faint { color: var(--faint); }
section { background: var(--paper); border: 1px solid var(--rule); border-radius: 10px; padding: 20px 22px;
  margin: 18px 0; }
.missing { border-color: var(--bad); } .missing h2 { color: var(--bad); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0 0; }
.figure { background: var(--paper); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px; }
.figure b { display: block; font-size: 24px; font-variant-numeric: tabular-nums; } .figure span { color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { color: var(--faint); font-weight: 600; white-space: nowrap; border-bottom-width: 2px; }
td { overflow-wrap: break-word; max-width: 60ch; } td.l { min-width: 34ch; } tr:last-child td { border-bottom: 0; }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; overflow-wrap: normal; }
td.t { white-space: nowrap; max-width: none; font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; height: auto; max-width: 860px; margin: 6px 0; font-family: inherit; }
.grid { stroke: var(--rule); } .axis { fill: var(--faint); font-size: 11px; }
.label { fill: var(--ink); font-size: 12.5px; }
.line { fill: none; stroke-width: 2; }
.key { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--faint); font-size: 13px; }
.key i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }
@media print { body { background: none; } section { break-inside: avoid; } }
"""
_HUED = ("good", "bad", "warn", "busy", "quiet", "back", *(f"h{number}" for number in range(HUES)))
STYLE += "".join(
    f".{each} {{ fill: var(--{each}); }} .line.{each} {{ fill: none; stroke: var(--{each}); }} "
    f"i.{each} {{ background: var(--{each}); }}\n"
    for each in _HUED
)


def render(report: Report) -> str:
    """The page."""
    title = f"Wisqu, {_span(report)}"
    body = "".join(
        (
            f"<header><h1>{text(title)}</h1><p class='faint'>What happened in {counted(report.days, 'day')}, and how "
            f"things stand on {report.now.astimezone(UTC):%Y-%m-%d at %H:%M} UTC.</p></header>",
            _missing(report.missing),
            _figures(report),
            _promotions(report),
            _section(report, "distribution"),
            _test_data(report),
            _storage(report),
            _section(report, "sweeps"),
            _section(report, "accounts"),
            _section(report, "access"),
            _section(report, "actions"),
        )
    )
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _span(report: Report) -> str:
    return f"{report.since.astimezone(UTC):%Y-%m-%d} to {report.now.astimezone(UTC):%Y-%m-%d}"


def _missing(missing: Mapping[str, str]) -> str:
    if not missing:
        return ""
    told = "".join(f"<p><b>{text(name)}</b>: {text(why)}</p>" for name, why in missing.items())
    return f"<section class='missing'><h2>Not read</h2>{told}</section>"


def _figures(report: Report) -> str:
    paths = report.rows["paths"]
    well = _sum(paths, "succeeded")
    carried_out = well + _sum(paths, "failed") + _sum(paths, "rolled_back")
    figures = (
        (number(_sum(paths, "promotions")), "promotions planned"),
        (telling.told(well / carried_out, Kind.SHARE) if carried_out else "–", "of those carried out stand"),
        (number(_sum(report.rows["promoted_types"], "items")), "items promoted"),
        (number(_sum(report.rows["test_data"], "rows")), "rows of test data"),
        (size(_sum(report.rows["storage"], "bytes")), "of files"),
        (number(_sum(report.rows["sweeps"], "purged")), "rows purged"),
    )
    shown = "".join(
        f"<div class='figure'><b>{text(value)}</b><span>{text(name)}</span></div>" for value, name in figures
    )
    return f"<div class='figures'>{shown}</div>"


def _promotions(report: Report) -> str:
    paths, types = registry.METRICS["paths"], registry.METRICS["promoted_types"]
    days = _days(report)
    counted: dict[str, dict[date, int]] = {name: defaultdict(int) for name in OUTCOMES}
    for row in report.rows["promotions"]:
        for name in OUTCOMES:
            counted[name][_day(row["day"])] += row[name]
    series = {_words(name): [by_day[day] for day in days] for name, by_day in counted.items()}
    classes = {_words(name): colour for name, colour in OUTCOMES.items()}
    chart = svg.columns(days, series, classes, "Promotions by day and by how they ended") + _key(classes)
    most = [
        (f"{row['type']}, {row['path']}", row["items"], "busy") for row in report.rows["promoted_types"][:MOST_BARS]
    ]
    drawn = svg.bars(most, _count, "Items promoted by type and path") if most else ""
    return (
        f"<section><h2>Promotions</h2><p class='faint'>By the day on which they were planned.</p>{chart}"
        f"<h3>{text(paths.title)}</h3>{_table(paths, report.rows[paths.name])}"
        f"<h3>{text(types.title)}</h3>{drawn}{_table(types, report.rows[types.name])}</section>"
    )


def _test_data(report: Report) -> str:
    metric = registry.METRICS["test_data"]
    groups: dict[str, int] = defaultdict(int)
    for row in report.rows[metric.name]:
        groups[row["reason"]] += row["rows"]
    most = sorted(groups.items(), key=lambda each: (-each[1], each[0]))[:MOST_BARS]
    chart = svg.bars([(name, rows, "bad") for name, rows in most], _count, "Test data by reason") if most else ""
    return _section(report, metric.name, chart)


def _storage(report: Report) -> str:
    sums: dict[str, dict[date, int]] = {name: defaultdict(int) for name in report.environments}
    for row in report.storage:
        if row["environment"] in sums:
            sums[row["environment"]][_day(row["day"])] += row["bytes"]
    series = {name: sorted(by_day.items()) for name, by_day in sums.items() if by_day}
    classes = {name: f"h{place % HUES}" for place, name in enumerate(report.environments) if name in series}
    if not series:
        return _section(report, "storage", "<p class='faint'>No day's snapshot has been taken yet.</p>")
    chart = svg.sizes(series, classes, lambda value: size(round(value)), "Bytes of files by environment and day")
    return _section(report, "storage", f"<h3>Files, day by day</h3>{chart}{_key(classes)}")


def _section(report: Report, name: str, before: str = "") -> str:
    metric = registry.METRICS[name]
    return (
        f"<section><h2>{text(metric.title)}</h2><p class='faint'>{text(metric.description)}</p>{before}"
        f"{_table(metric, report.rows[name])}</section>"
    )


def _table(metric: Metric, rows: Sequence[Row]) -> str:
    if not rows:
        return "<p class='faint'>None.</p>"
    head = "".join(f"<th{_class(kind)}>{text(_words(name))}</th>" for name, kind in metric.columns.items())
    lines = ("".join(_cell(row[name], kind) for name, kind in metric.columns.items()) for row in rows[:MOST_ROWS])
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    more = len(rows) - MOST_ROWS
    rest = f"<p class='faint'>… and {more:,} more: wisqu metrics {metric.name}</p>" if more > 0 else ""
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{rest}"


def _cell(value: Any, kind: Kind) -> str:
    if value is None:
        return f"<td{_class(kind)}><span class='faint'>–</span></td>"
    told = telling.told(value, kind)
    style = _class(kind) or (" class='t'" if len(told) <= SHORT else " class='l'" if len(told) >= LONG else "")
    return f"<td{style}>{text(told)}</td>"


def _class(kind: Kind) -> str:
    if telling.is_figure(kind):
        return " class='n'"
    return " class='t'" if kind in {Kind.DAY, Kind.MOMENT} else ""


def _key(classes: Mapping[str, str]) -> str:
    shown = "".join(f"<span><i class='{each}'></i>{text(name)}</span>" for name, each in classes.items())
    return f"<p class='key'>{shown}</p>"


def _days(report: Report) -> list[date]:
    first, last = _day(report.since), _day(report.now)
    return [first + timedelta(days=each) for each in range((last - first).days + 1)]


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _words(name: str) -> str:
    return name.replace("_", " ")


def _sum(rows: Iterable[Row], column: str) -> int:
    return sum(row[column] for row in rows)


def _count(value: float) -> str:
    return number(round(value))
