"""What was noted of audit chains in other places: how long they were, and with which row they ended."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import TypeAlias

from sqlalchemy import select
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import table_of
from wisqu_pipelines.audit.models import AuditCheckpoint, ChainedMixin, ControlChainHead, EnvironmentChainHead
from wisqu_pipelines.database.bulk import among

CONTROL = "control"
"""What reports and checkpoints call the control database."""
AT_ONCE = 500
"""Anchors, and rows of a chain, that are held in memory while they are compared."""

Ending: TypeAlias = tuple[str, int, str]
"""A chain, how long it was, and the hash of its last row then."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """What was noted of a chain somewhere else: that it was so long and ended so."""

    length: int
    last_hash: str
    taken_at: datetime


Anchors: TypeAlias = Mapping[str, Sequence[Anchor]]
"""What was noted somewhere else; by chain."""
_LENGTH = attrgetter("length")


def heads(session: Session, environment: str) -> Mapping[str, tuple[int, str]]:
    """How long the chains of a database are now, and with which hash they end; by chain."""
    model = ControlChainHead if environment == CONTROL else EnvironmentChainHead
    found = session.execute(select(model.chain, model.length, model.last_hash).order_by(model.chain))
    return {chain: (length, last_hash) for chain, length, last_hash in found}


def checkpoint(control: Session, session: Session, environment: str) -> int:
    """Note in the control database how long an environment's chains are now, and what they end with.

    Args:
        control: A transaction in the control database.
        session: A transaction in the environment's database, or in the control database for its own chain.
        environment: Whose chains; `CONTROL` for the control database's.

    Returns:
        How many chains end in a way that had not been noted yet.
    """
    count = 0
    for chain, (length, last_hash) in heads(session, environment).items():
        ending = {"environment": environment, "chain": chain, "length": length, "last_hash": last_hash}
        if control.scalar(select(AuditCheckpoint.id).filter_by(**ending).limit(1)) is None:
            control.add(AuditCheckpoint(**ending))
            count += 1
    control.flush()
    return count


def noted(control: Session, environment: str, chain: str, elsewhere: Anchors) -> Iterator[Anchor]:
    """All that was noted of a chain, in the control database and in other places, the shortest first."""
    return merge(_checkpoints(control, environment, chain), sorted(elsewhere.get(chain, ()), key=_LENGTH), key=_LENGTH)


def _checkpoints(control: Session, environment: str, chain: str) -> Iterator[Anchor]:
    result = control.execute(
        select(AuditCheckpoint.length, AuditCheckpoint.last_hash, AuditCheckpoint.taken_at)
        .where(AuditCheckpoint.environment == environment, AuditCheckpoint.chain == chain)
        .order_by(AuditCheckpoint.length)
        .execution_options(yield_per=AT_ONCE)
    )
    return (Anchor(*row) for row in result)


def compared(session: Session, model: type[ChainedMixin], anchors: Iterable[Anchor]) -> Iterator[tuple[Anchor, bool]]:
    """Each anchor, and whether the chain has the row that it saw, in the place where it saw it.

    Args:
        session: A snapshot of the chain's database.
        model: Whose chain.
        anchors: What was noted of it.
    """
    table = table_of(model)
    rest = iter(anchors)
    while some := list(islice(rest, AT_ONCE)):
        lengths = {each.length for each in some}
        found = session.execute(select(table.c.sequence, table.c.row_hash).where(among(table.c.sequence, lengths)))
        hashes = {row.sequence: row.row_hash for row in found}
        for anchor in some:
            yield anchor, hashes.get(anchor.length) == anchor.last_hash
