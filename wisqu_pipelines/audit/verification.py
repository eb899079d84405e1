"""Reading audit chains back: is every row there, in its place, as it was written?

A chain proves itself up to its head, the head proves where it ends, and the checkpoints in the control database prove
the head: whoever rewrites an environment's whole chain cannot rewrite those with the environment's credentials.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.anchors import CONTROL, Anchor, Anchors, Ending, noted
from wisqu_pipelines.audit.canonical import hash_after
from wisqu_pipelines.audit.chain import CONTROL_CHAINS, ENVIRONMENT_CHAINS, GENESIS, head_of, table_of
from wisqu_pipelines.audit.models import ChainedMixin
from wisqu_pipelines.database.session import Database

ROWS_AT_ONCE = 500
"""Rows held in memory while a chain is read."""
SHOWN_FINDINGS = 50
"""How many findings a report describes; the rest is counted."""


class Damage(StrEnum):
    """What can be wrong with a chain."""

    EDITED = "edited"
    """The row is not what was written."""
    MISSING = "missing"
    """Rows before this chain's end are gone."""
    MOVED = "moved"
    """The row is not the one that was written in this place."""
    REWRITTEN = "rewritten"
    """The row agrees with its neighbours, but not with what was noted of it elsewhere."""
    CUT_OFF = "cut off"
    """The chain's last rows are gone."""
    FOREIGN = "foreign"
    """The row was written past the chain's head."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a chain, and where."""

    table: str
    sequence: int
    """The (first) row that it is about."""
    damage: Damage
    detail: str

    def __str__(self) -> str:
        return f"{self.table} {self.sequence}: {self.detail}"


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a verification found in one chain."""

    table: str
    rows: int
    findings: tuple[Finding, ...]
    """The first `SHOWN_FINDINGS`, in the order of the chain."""
    count: int
    """How many there are in all."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a verification found in one database."""

    environment: str
    chains: tuple[ChainReport, ...]
    restores: tuple[UUID, ...] = ()
    """The acknowledged restores by which rows are lost that had been noted."""
    unread: str | None = None
    """Why it could not be read."""

    @property
    def holds(self) -> bool:
        """Whether it was read, and nothing was found."""
        return self.unread is None and not any(chain.count for chain in self.chains)


def verify_environment(
    control: Database,
    database: Database,
    environment: str,
    anchors: Anchors | None = None,
    lost: Collection[Ending] = (),
) -> AuditReport:
    """Verify an environment's audit chains against themselves, their heads and the checkpoints in the control database.

    Memory does not grow with the length of the chains.

    Args:
        control: Where the checkpoints are.
        database: Where the chains are.
        environment: Whose they are.
        anchors: What was noted of the chains in other places besides; by chain.
        lost: What was noted and is not asked for, as it is known to be lost.
    """
    return _verify(control, database, environment, ENVIRONMENT_CHAINS, anchors or {}, lost)


def verify_control(control: Database, anchors: Anchors | None = None, lost: Collection[Ending] = ()) -> AuditReport:
    """Verify the control database's own audit chain."""
    return _verify(control, control, CONTROL, CONTROL_CHAINS, anchors or {}, lost)


def verify(session: Session, model: type[ChainedMixin], anchors: Iterable[Anchor] = ()) -> Iterator[Finding]:
    """Read a chain from its first row to its last, and yield what is wrong, in that order.

    Args:
        session: A snapshot of the chain's database.
        model: Whose chain.
        anchors: What was noted of the chain elsewhere, before the snapshot; by length.
    """
    yield from _Walk(session, model, anchors).findings()


def _verify(
    control: Database,
    database: Database,
    environment: str,
    models: tuple[type[ChainedMixin], ...],
    anchors: Anchors,
    lost: Collection[Ending],
) -> AuditReport:
    chains = []
    with control.snapshot() as known, database.snapshot() as session:
        for model in models:
            # The checkpoints are asked for before the chain is: one taken meanwhile would know rows that the chain's
            # snapshot does not have.
            chain = table_of(model).name
            every = noted(known, environment, chain, anchors)
            walk = _Walk(session, model, (each for each in every if (chain, each.length, each.last_hash) not in lost))
            found = walk.findings()
            shown = tuple(islice(found, SHOWN_FINDINGS))
            count = len(shown) + sum(1 for _ in found)
            chains.append(ChainReport(walk.table.name, walk.rows, shown, count))
    return AuditReport(environment, tuple(chains))


class _Walk:
    """One reading of one chain."""

    def __init__(self, session: Session, model: type[ChainedMixin], anchors: Iterable[Anchor]) -> None:
        self.table = table_of(model)
        self.rows = 0
        self._session = session
        self._head = head_of(model)
        self._anchors = iter(anchors)
        self._anchor = next(self._anchors, None)
        self._position = 0
        self._hashes = {GENESIS}
        """What the next row may name as the hash before it: the one that the last row carries, or the one that it has.
        They differ where it was edited, which is then said of it and not of the next row too."""

    def findings(self) -> Iterator[Finding]:
        rows = self._session.execute(
            select(self.table).order_by(self.table.c.sequence).execution_options(yield_per=ROWS_AT_ONCE)
        )
        for row in rows.mappings():
            self.rows += 1
            yield from self._row({column.name: row[column] for column in self.table.columns})
        yield from self._end()

    def _row(self, values: dict[str, Any]) -> Iterator[Finding]:
        sequence = values["sequence"]
        if sequence <= self._position:
            yield self._found(sequence, Damage.FOREIGN, "it has a place that another row has, or that no row can have")
            return
        complete = sequence == self._position + 1
        if not complete:
            yield self._found(self._position + 1, Damage.MISSING, f"{_rows(self._position + 1, sequence - 1)} missing")
        computed = hash_after(values)
        in_place = not complete or values["previous_hash"] in self._hashes
        if values["row_hash"] != computed:
            damage = Damage.EDITED if in_place else Damage.MOVED
            detail = "it is not what was written" if in_place else "it is not what was written here"
            yield self._found(sequence, damage, detail)
        elif not in_place:
            yield self._found(sequence, Damage.MOVED, f"it does not continue row {sequence - 1}")
        self._position = sequence
        self._hashes = {values["row_hash"]} | ({computed} if computed else set())
        yield from self._compare_anchors()

    def _compare_anchors(self) -> Iterator[Finding]:
        while self._anchor is not None and self._anchor.length <= self._position:
            if self._anchor.length == self._position and self._anchor.last_hash not in self._hashes:
                detail = f"it is not the row that the checkpoint of {self._anchor.taken_at.isoformat()} saw"
                yield self._found(self._position, Damage.REWRITTEN, detail)
            self._anchor = next(self._anchors, None)

    def _end(self) -> Iterator[Finding]:
        head = self._session.execute(
            select(self._head.length, self._head.last_hash).where(self._head.chain == self.table.name)
        ).one_or_none()
        length, last_hash = (0, GENESIS) if head is None else head
        known, witness = length, "its head"
        while self._anchor is not None:
            if self._anchor.length > known:
                known, witness = self._anchor.length, f"the checkpoint of {self._anchor.taken_at.isoformat()}"
            self._anchor = next(self._anchors, None)
        if self._position < known:
            detail = f"{_rows(self._position + 1, known)} cut off, by what {witness} says"
            yield self._found(self._position + 1, Damage.CUT_OFF, detail)
        elif self._position > length:
            detail = f"{_rows(length + 1, self._position)} not in the chain: its head ends before"
            yield self._found(length + 1, Damage.FOREIGN, detail)
        elif last_hash not in self._hashes:
            yield self._found(self._position, Damage.REWRITTEN, "it is not the row that the chain's head names")

    def _found(self, sequence: int, damage: Damage, detail: str) -> Finding:
        return Finding(self.table.name, sequence, damage, detail)


def _rows(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"
