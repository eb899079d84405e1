"""What a scan for test data did."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import islice
from typing import Any
from uuid import UUID

from wisqu_pipelines.audit.spreadsheets import as_cell
from wisqu_pipelines.detection.evidence import Verdict

EXAMPLES = 10
"""How many marked items a report shows."""


@dataclass(frozen=True, slots=True)
class Example:
    """An item that was marked, or would be."""

    item_type: str
    item_id: UUID
    label: str
    """What people know it by, as it stands in the row."""
    reason: str

    @property
    def safe_label(self) -> str:
        """The label as a spreadsheet shows it and does not compute it (OWASP, CSV injection)."""
        return as_cell(self.label)


@dataclass(slots=True)
class ScanReport:
    """What was read, and what came of it."""

    environment: str
    detector_version: str
    is_dry_run: bool
    scanned: int = 0
    """Rows read. One that a person has decided on is not read."""
    marked: int = 0
    """Rows that were not marked before."""
    unmarked: int = 0
    """Rows that an earlier scan had marked, and that look real now."""
    to_review: int = 0
    """Rows that wait for a person."""
    by_type: Counter[str] = field(default_factory=Counter)
    """Rows read."""
    by_reason: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Test data by what speaks for it most (`group/recogniser`) and the column where that was found."""
    by_month: Counter[date] = field(default_factory=Counter)
    """Test data by the month in which it was created."""
    examples: list[Example] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Rows read in a second."""
        return self.scanned / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "environment": self.environment,
            "detector_version": self.detector_version,
            "dry_run": self.is_dry_run,
            "scanned": self.scanned,
            "marked_as_test": self.marked,
            "unmarked": self.unmarked,
            "to_review": self.to_review,
            "by_type": dict(self.by_type),
            "by_reason": [
                {"reason": reason, "field": column, "rows": rows}
                for (reason, column), rows in self.by_reason.most_common()
            ],
            "by_month": {f"{month:%Y-%m}": rows for month, rows in sorted(self.by_month.items())},
            "examples": [asdict(each) for each in self.examples],
            "seconds": round(self.seconds, 3),
            "rows_a_second": round(self.rate, 1),
        }

    def found(self, month: date, verdicts: Iterable[Verdict]) -> None:
        """Count test data."""
        for verdict in verdicts:
            self.by_month[month] += 1
            strongest = max(verdict.evidence, key=lambda each: each.weight)
            self.by_reason[f"{strongest.group}/{strongest.recogniser}", strongest.field] += 1

    def show(self, examples: Iterable[Example]) -> None:
        """Keep the first of them."""
        if room := EXAMPLES - len(self.examples):
            self.examples += islice(examples, room)
