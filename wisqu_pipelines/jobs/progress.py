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
        self._written: dict[str, float] = {}

    def __call__(self, step: str, done: int, total: int, *, bytes: int = 0, points: int = 0) -> None:  # noqa: A002
        """Write a line if the step's last one is long enough ago, or if the step is done."""
        now = monotonic()
        if done < total and now - self._written.get(step, float("-inf")) < SECONDS_BETWEEN_LINES:
            return
        self._written[step] = now
        moved = [markdown.size(bytes)] if bytes else []
        moved += [f"{markdown.number(points)} points"] if points else []
        self._log.info(f"{step}: {done} of {total}{' (' + ', '.join(moved) + ')' if moved else ''}")
