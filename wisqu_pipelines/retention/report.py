"""What retention answers with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

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


@dataclass(frozen=True)
class SweepReport:
    """A sweep as it stands, or as a dry run foretells it."""

    environment: str
    sweep_id: UUID | None
    """None: a dry run, or nothing was due."""
    state: SweepState | None
    is_dry_run: bool
    test_data_only: bool
    types: Mapping[str, TypeReport]
    created_at: datetime
    purge_after: datetime | None = None
    hidden: int = 0
    """How many rows it has hidden, and not given back."""
    purged: int = 0
    restored: int = 0
    kept: int = 0
    """How many were marked, and stayed after all."""
    digest: str = ""
    requested_by: UUID | None = None
    approved_by: UUID | None = None
    reason: str | None = None

    @property
    def rows(self) -> int:
        """How many rows it marked, of all types."""
        return sum(each.rows for each in self.types.values())

    @property
    def stopped(self) -> str | None:
        """What the caps say, if they stop it."""
        said = [each.stopped for each in self.types.values() if each.stopped]
        return "; ".join(said) or None

    def as_markdown(self) -> str:
        """As a heading, a table and what the cap says."""
        would = "would hide" if self.is_dry_run else "marked"
        lines = [
            f"### {self.environment}: {'a dry run' if self.is_dry_run else 'the sweep'} {would} {self.rows} rows",
            "",
            "| type | rows | test data | bytes | vectors | days old | due, and stay |",
            "|---|--:|--:|--:|--:|---|---|",
        ]
        for name, each in self.types.items():
            cells = (name, each.rows, each.test_data, each.bytes, each.points, told(each.ages), told(each.stays))
            lines.append(f"| {' | '.join(map(str, cells))} |")
        return "\n".join([*lines, *(["", f"The cap stops it: {self.stopped}."] if self.stopped else [])])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "environment": self.environment,
            "sweep_id": None if self.sweep_id is None else str(self.sweep_id),
            "state": self.state,
            "is_dry_run": self.is_dry_run,
            "test_data_only": self.test_data_only,
            "rows": self.rows,
            "types": {
                name: {
                    "rows": each.rows,
                    "bytes": each.bytes,
                    "points": each.points,
                    "test_data": each.test_data,
                    "ages": dict(each.ages),
                    "stays": dict(each.stays),
                    "stopped": each.stopped,
                }
                for name, each in self.types.items()
            },
            "created_at": self.created_at.isoformat(),
            "purge_after": None if self.purge_after is None else self.purge_after.isoformat(),
            "hidden": self.hidden,
            "purged": self.purged,
            "restored": self.restored,
            "kept": self.kept,
            "stopped": self.stopped,
            "digest": self.digest,
        }


def told(counts: Mapping[str, int]) -> str:
    """Counts in one line."""
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


@dataclass(frozen=True)
class CleanupReport:
    """What one run of retention did."""

    environment: str
    sweep: SweepReport
    """The new sweep, or what a dry run foretells."""
    earlier: tuple[SweepReport, ...] = ()
    """Sweeps that it went on with: hidden, purged, or given up."""
