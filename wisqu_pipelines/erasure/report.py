"""What is told of erasures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from wisqu_pipelines.figures import size


@dataclass(frozen=True, slots=True)
class Copies:
    """Rows that came from the person's by promotion, in another environment."""

    environment: str
    item_type: str
    rows: int


@dataclass(frozen=True, slots=True)
class ErasurePreview:
    """What an erasure would take now."""

    environment: str
    user_id: UUID
    email_hash: str
    rows: Mapping[str, int]
    bytes: int
    points: int
    is_held: bool
    """By a legal hold: it would be refused."""
    promotions: Sequence[UUID]
    """Running ones that have something of it: it would be refused until they have ended."""
    copies: Sequence[Copies]
    """What stays elsewhere: the person asks there as well."""

    def as_markdown(self) -> str:
        """As a heading, a table, and what would stop it or stays."""
        lines = [f"### {self.environment}: what is erased with the user {self.user_id}", "", "| what | how much |"]
        lines += ["|---|--:|", *(f"| {name} | {count} |" for name, count in self.rows.items())]
        lines += [f"| files | {size(self.bytes)} |", f"| vectors | {self.points} |", ""]
        if self.is_held:
            lines.append("- A legal hold is on it, or on something of it: it would be refused.")
        lines += [
            f"- The promotion {each} is under way with something of it: it would be refused."
            for each in self.promotions
        ]
        lines += [
            f"- {each.rows} {each.item_type} in {each.environment} are copies by promotion and stay: ask there as well."
            for each in self.copies
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """How an erasure stands."""

    id: UUID
    environment: str
    user_id: UUID
    email_hash: str
    state: str
    reason: str
    requested_by: UUID
    requested_at: datetime
    approved_by: UUID | None
    approved_at: datetime | None
    done_at: datetime | None
    digest: str | None
    rows: Mapping[str, int]
    """Of its certificate, by type."""
    again: int
    """How many times it was done again."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ErasedAgain:
    """What doing an erasure again came to."""

    erasure_id: UUID
    user_id: UUID
    rows: int
    files: int
    points: int
    refused: str | None = None
    """Why it was not done."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)
