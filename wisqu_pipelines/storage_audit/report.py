"""What a storage audit answers with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

SHOWN_FINDINGS = 50
"""How many findings a report describes; the rest is counted, and told to whoever listens."""


class Problem(StrEnum):
    """What is wrong with a finding."""

    ORPHAN = "orphan"
    """An object, or a version's points, that nothing needs."""
    DANGLING = "dangling"
    """A row without its object or points, or with others than it says."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So many things, and how large they are together."""

    count: int = 0
    """Objects, versions or rows."""
    bytes: int = 0
    """Of points, those of their vectors."""
    points: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.count + other.count, self.bytes + other.bytes, self.points + other.points)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.count - other.count, self.bytes - other.bytes, self.points - other.points)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not belong together."""

    problem: Problem
    store: str
    """`objects` or `points`."""
    container: str
    """The full name of the bucket or collection."""
    name: str
    """The object's key, or the version of the points."""
    sentence: str
    bytes: int = 0
    """What lies there too much, or what the row says should lie there."""
    points: int = 0
    row: UUID | None = None
    """For a dangling, the row's id."""
    first_seen_at: datetime | None = None
    """For an orphan, since when it is marked; None: it is not marked, and so never swept."""


Found = Callable[[Finding], None]
"""Is told every finding as it is found, whatever their number."""


@dataclass(slots=True)
class StoreReport:
    """One kind of store, in sums."""

    store: str
    listed: Amount = field(default_factory=Amount)
    orphans: Amount = field(default_factory=Amount)
    due: Amount = field(default_factory=Amount)
    """Those orphans whose grace time is over: `--repair` takes them away."""
    swept: Amount = field(default_factory=Amount)
    """Those that this run has taken away."""
    danglings: Amount = field(default_factory=Amount)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit came to."""

    environment: str
    started_at: datetime
    finished_at: datetime
    stores: tuple[StoreReport, ...]
    newly_marked: int
    unmarked: int
    """Marks taken away because the thing is needed again, or gone."""
    findings: tuple[Finding, ...]
    """The first `SHOWN_FINDINGS`."""
    clock_skew_seconds: float
    """How far this machine's clock and the database's are apart. Beyond `LARGEST_SKEW` nothing was marked."""
    promotion_under_way: bool
    """Whether a promotion into the environment was running: what it has not finished yet may be among the findings."""

    @property
    def orphans(self) -> Amount:
        """What still lies there and belongs to nobody."""
        return sum((each.orphans - each.swept for each in self.stores), Amount())

    @property
    def danglings(self) -> Amount:
        """The rows that miss something."""
        return sum((each.danglings for each in self.stores), Amount())

    @property
    def is_clean(self) -> bool:
        """Whether everything belongs together."""
        return not self.orphans.count and not self.danglings.count


def nobody_listens(finding: Finding) -> None:
    """Findings that nobody wants one by one."""
