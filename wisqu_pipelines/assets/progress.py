"""Progress as lines in a run's log."""

from logging import Logger
from time import monotonic

from dagster import DagsterLogManager

from wisqu_pipelines.assets import markdown

SECONDS_BETWEEN_LINES = 1.0
"""A step writes at most one line in this time, whatever its speed; its end is always written."""


class LoggedProgress:
    """Writes progress to a run's log, at a bounded rate."""

    def __init__(self, log: DagsterLogManager | Logger) -> None:
        """Write to `log`."""
        self._log = log
        self._began: dict[str, tuple[float, int]] = {}
        """When each step was first heard of, and how far it was then."""
        self._written: dict[str, float] = {}

    def __call__(self, step: str, done: int, total: int, *, bytes: int = 0, points: int = 0) -> None:  # noqa: A002
        """Write a line if the step's last one is long enough ago, or if the step is done."""
        now = monotonic()
        began, before = self._began.setdefault(step, (now, done))
        if done < total and now - self._written.get(step, float("-inf")) < SECONDS_BETWEEN_LINES:
            return
        self._written[step] = now
        notes = [markdown.size(bytes)] if bytes else []
        notes += [f"{markdown.number(points)} points"] if points else []
        if done > before and now > began:
            rate = (done - before) / (now - began)
            notes.append(f"{markdown.number(round(rate))} items/s")
            notes += [f"{(total - done) / rate:.0f} s left"] if done < total else []
        self._log.info(f"{step}: {done} of {total}{' (' + ', '.join(notes) + ')' if notes else ''}")
