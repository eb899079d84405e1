"""Writing audit rows: each is appended to its table's chain in the transaction of the act that it records."""

from typing import Any, TypeAlias

from sqlalchemy import Table, inspect, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstanceState, Session

from wisqu_pipelines.audit.canonical import hash_before
from wisqu_pipelines.audit.models import (
    ChainedMixin,
    ControlChainHead,
    DeveloperAction,
    EnvironmentAccess,
    EnvironmentAccessLog,
    EnvironmentChainHead,
    EnvironmentPromotion,
)
from wisqu_pipelines.database.base import ControlBase

GENESIS = "0" * 64
"""What the first row of a chain names as the hash before it."""

ChainedRow: TypeAlias = EnvironmentPromotion | EnvironmentAccessLog | DeveloperAction | EnvironmentAccess
ENVIRONMENT_CHAINS: tuple[type[ChainedMixin], ...] = (EnvironmentPromotion, EnvironmentAccessLog, DeveloperAction)
CONTROL_CHAINS: tuple[type[ChainedMixin], ...] = (EnvironmentAccess,)


def append(session: Session, row: ChainedRow) -> None:
    """Make `row` the next link of its table's chain, and write it.

    The chain's head stays locked until the transaction ends, and other writers of the same table wait for it: append
    last, and where one transaction appends to several tables, in the order of `ENVIRONMENT_CHAINS`.

    Args:
        session: The transaction of the act that the row records; it is not committed here.
        row: A new audit row, without `sequence`, `previous_hash` and `row_hash`.

    Raises:
        BadInput: a value would not come back from the database as it is (a NUL character, a text that is too long, a
            number beyond 2^53).
    """
    table = table_of(type(row))
    head = head_of(type(row))
    _apply_defaults(row)
    # One statement creates the head or waits for whoever holds it, and tells what the chain ends with.
    statement = (
        insert(head)
        .values(chain=table.name, length=1, last_hash=GENESIS)
        .on_conflict_do_update(index_elements=[head.chain], set_={"length": head.length + 1})
        .returning(head.length, head.last_hash)
    )
    row.sequence, row.previous_hash = session.execute(statement).one()
    row.row_hash = hash_before(table, _values(row))
    session.execute(
        update(head)
        .where(head.chain == table.name)
        .values(last_hash=row.row_hash)
        .execution_options(synchronize_session=False)
    )
    session.add(row)
    session.flush()


def table_of(model: type[ChainedMixin]) -> Table:
    """The audit table of a model."""
    table: Table = inspect(model).local_table
    return table


def head_of(model: type[ChainedMixin]) -> type[EnvironmentChainHead] | type[ControlChainHead]:
    """The table in which the end of a model's chain is kept: of its own database."""
    return ControlChainHead if issubclass(model, ControlBase) else EnvironmentChainHead


def _apply_defaults(row: ChainedRow) -> None:
    """Give unset columns their defaults now; SQLAlchemy would only do it after the hash is taken."""
    state: InstanceState[Any] = inspect(row)
    for attribute in state.mapper.column_attrs:
        default: Any = attribute.columns[0].default
        if default is not None and attribute.key not in state.dict:
            setattr(row, attribute.key, default.arg(None) if default.is_callable else default.arg)


def _values(row: ChainedRow) -> dict[str, Any]:
    state: InstanceState[Any] = inspect(row)
    return {each.columns[0].name: getattr(row, each.key) for each in state.mapper.column_attrs}
