"""What an ingest did, file by file."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Outcome(StrEnum):
    """What happened to a file."""

    CREATED = "created"
    UPDATED = "updated"
    """The name was known and the content is new; approvals of the old content no longer count."""
    UNCHANGED = "unchanged"
    """The same bytes are there already."""
    REFUSED = "refused"
    """A rule said no; nothing of the file is there that was not there before."""


@dataclass(frozen=True, slots=True)
class IngestedFile:
    """One file of an ingest."""

    filename: str
    outcome: Outcome
    reason: str | None = None
    """Why it was refused."""
    file_id: UUID | None = None
    document_id: UUID | None = None
    bytes: int = 0
    points: int = 0


@dataclass(frozen=True, slots=True)
class IngestReport:
    """All files of an ingest, in the order in which they were found."""

    environment: str
    files: tuple[IngestedFile, ...]

    def count(self, outcome: Outcome) -> int:
        """How many files had that outcome."""
        return sum(file.outcome is outcome for file in self.files)

    @property
    def refused(self) -> tuple[IngestedFile, ...]:
        """The files that did not get in; where there are any, the ingest as a whole has not done what was asked."""
        return tuple(file for file in self.files if file.outcome is Outcome.REFUSED)

    @property
    def bytes(self) -> int:
        """Bytes of all files that are in."""
        return sum(file.bytes for file in self.files)

    @property
    def points(self) -> int:
        """Points of all files that are in."""
        return sum(file.points for file in self.files)
