"""What retention answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from wisqu_pipelines.figures import counted, size
from wisqu_pipelines.retention.models import SweepState

AGES = (7, 30, 90, 365)
"""Days that part the ages of what is told."""


@dataclass(frozen=True)
class TypeReport:
    """What goes and what stays of one type."""

    rows: int = 0
    bytes: int = 0
    """Of files."""
    points: int = 0
    test_data: int = 0
    """How many of the rows are test data."""
    ages: Mapping[str, int] = field(default_factory=dict)
    """How many rows are how many days old: `7-30`, …, `365+`."""
    stays: Mapping[str, int] = field(default_factory=dict)
    """How many rows are due and stay, by the reason."""
    stopped: str | None = None
    """What the cap says, if it stops the sweep."""

    @property
    def figures(self) -> dict[str, Any]:
        """All but what the cap says, as a sweep keeps it."""
        return {
            "rows": self.rows,
            "bytes": self.bytes,
            "points": self.points,
            "test_data": self.test_data,
            "ages": dict(self.ages),
            "stays": dict(self.stays),
        }


@dataclass(frozen=True)
class SweepReport:
    """A sweep as it stands, or as a dry run foretells it."""

    environment: str
    sweep_id: UUID | None
    """None: a dry run, or nothing was due."""
    state: SweepState | None
    """None as well then."""
    is_dry_run: bool
    """Nothing was done: it says what would be."""
    test_data_only: bool
    types: Mapping[str, TypeReport]
    created_at: datetime
    purge_after: datetime | None = None
    hidden: int = 0
    """How many rows it has hidden, and not given back."""
    hidden_bytes: int = 0
    """Of the files of these rows: what their purge frees."""
    hidden_points: int = 0
    waits: Mapping[str, int] = field(default_factory=dict)
    """How many rows stay hidden though its grace time is over, by the reason."""
    purged: int = 0
    purged_now: int = 0
    """How many of them the run that tells of it has purged."""
    restored: int = 0
    kept: int = 0
    """How many were marked, and stayed after all."""
    digest: str = ""
    requested_by: UUID | None = None
    approved_by: UUID | None = None
    reason: str | None = None
    """Why it was begun."""
    rejection: str | None = None
    """Why it was rejected, called off or taken back."""
    rejected_by: UUID | None = None
    """Who did that; None as well where it could not go on."""
    takes_approval: bool = False
    """Whether it hides nothing before another person has approved its list."""
    is_forced: bool = False
    """Whether it goes past the cap."""

    @property
    def rows(self) -> int:
        """How many rows it marked, of all types."""
        return sum(each.rows for each in self.types.values())

    @property
    def stopped(self) -> str | None:
        """What the caps say, if they stop it."""
        said = [each.stopped for each in self.types.values() if each.stopped]
        return "; ".join(said) or None

    @property
    def because(self) -> str | None:
        """Why it was rejected, or which rows wait for their purge and why; None: it was not, and none does."""
        if self.rejection or not self.waits:
            return self.rejection
        waiting = sum(self.waits.values())
        said = f"{waiting} {'waits' if waiting == 1 else 'wait'} ({told(self.waits)})"
        return f"{said}, and the next run purges the rest" if waiting < self.hidden else said

    def as_markdown(self) -> str:
        """As a heading, a table and what the cap says."""
        would = "would hide" if self.is_dry_run else "marked"
        lines = [
            f"### {self.environment}: {'a dry run' if self.is_dry_run else 'the sweep'} {would} {self._of_rows}",
            "",
            "| type | rows | test data | bytes | vectors | days old | due, and stay |",
            "|---|--:|--:|--:|--:|---|---|",
        ]
        for name, each in self.types.items():
            cells = (name, each.rows, each.test_data, size(each.bytes), each.points, told(each.ages), told(each.stays))
            lines.append(f"| {' | '.join(map(str, cells))} |")
        return "\n".join([*lines, *(each for note in self.notes for each in ("", note))])

    @property
    def notes(self) -> Sequence[str]:
        """What stands between the figures and what happens, in sentences."""
        notes = []
        if self.stopped:
            cap = "It goes past the cap, which says" if self.is_forced else "The cap stops it"
            notes.append(f"{cap}: {self.stopped}.")
        if self.is_dry_run and self.takes_approval:
            notes.append(
                f"Nothing goes from {self.environment} by itself: somebody begins a sweep, and hides nothing before "
                "somebody else has approved its list."
            )
        return notes

    @property
    def outlook(self) -> str | None:
        """What the next run does with a sweep that a dry run has found; None: this is not one."""
        if not self.is_dry_run or self.sweep_id is None:
            return None
        if self.state == SweepState.HIDDEN:
            have = f"with {size(self.hidden_bytes)} of files and {counted(self.hidden_points, 'vector')}"
            hidden = f"{counted(self.hidden, 'row')}, {have}"
            then = f"of its {hidden}, {self.because}." if self.waits else f"the next run purges its {hidden}."
            return f"The grace time of the sweep {self.sweep_id} is over: {then}"
        return (
            f"The next run goes on with the sweep {self.sweep_id}: of its {self._of_rows} it hides those that may go."
        )

    @property
    def _of_rows(self) -> str:
        return counted(self.rows, "row")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "environment": self.environment,
            "sweep_id": None if self.sweep_id is None else str(self.sweep_id),
            "state": self.state,
            "is_dry_run": self.is_dry_run,
            "test_data_only": self.test_data_only,
            "rows": self.rows,
            "types": {name: {**each.figures, "stopped": each.stopped} for name, each in self.types.items()},
            "created_at": self.created_at.isoformat(),
            "purge_after": None if self.purge_after is None else self.purge_after.isoformat(),
            "hidden": self.hidden,
            "waits": dict(self.waits),
            "purged": self.purged,
            "purged_now": self.purged_now,
            "restored": self.restored,
            "kept": self.kept,
            "hidden_bytes": self.hidden_bytes,
            "hidden_points": self.hidden_points,
            "stopped": self.stopped,
            "is_forced": self.is_forced,
            "takes_approval": self.takes_approval,
            "digest": self.digest,
            "requested_by": None if self.requested_by is None else str(self.requested_by),
            "approved_by": None if self.approved_by is None else str(self.approved_by),
            "reason": self.reason,
            "rejection": self.rejection,
            "rejected_by": None if self.rejected_by is None else str(self.rejected_by),
        }


def told(counts: Mapping[str, int]) -> str:
    """Counts in one line."""
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


@dataclass(frozen=True, slots=True)
class SweptItem:
    """An item of a sweep, as people see it; where it lies is the stores' business."""

    item_type: str
    item_id: UUID
    label: str
    state: str
    created_at: datetime
    is_test_data: bool
    bytes: int
    points: int
    detail: str | None
    """Why it was kept, or why it stays hidden when a purge comes; None: neither."""


@dataclass(frozen=True)
class RestoreReport:
    """What a restoring gave back."""

    given_back: int
    """How many rows, with what they are parts of."""
    sweep: SweepReport
    """As it stands now."""


@dataclass(frozen=True)
class CleanupReport:
    """What one run of retention did, or would do."""

    environment: str
    sweep: SweepReport
    """The new sweep, or what a dry run foretells."""
    earlier: tuple[SweepReport, ...] = ()
    """Sweeps that it went on with: hidden, purged, or given up. Of a dry run: those that it would go on with, as they
    stand.
    """

    def as_markdown(self) -> str:
        """The new sweep, and what becomes of earlier ones."""
        outlooks = [each.outlook for each in self.earlier if each.outlook]
        return "\n\n".join([self.sweep.as_markdown(), *outlooks])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.sweep.as_dict(), "earlier": [each.as_dict() for each in self.earlier]}
