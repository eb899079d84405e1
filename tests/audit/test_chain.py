"""Appending: gapless, in the caller's transaction, and with a hash that the row still has when it is read back."""

import contextlib
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.audit.chains import action, append_actions
from wisqu_pipelines.audit.canonical import hash_after
from wisqu_pipelines.audit.chain import GENESIS, append, table_of
from wisqu_pipelines.audit.models import (
    DeveloperAction,
    EnvironmentAccess,
    EnvironmentAccessLog,
    EnvironmentChainHead,
    EnvironmentPromotion,
)
from wisqu_pipelines.audit.verification import verify
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import BadInput

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
TIMES = st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(minutes=-37)))).filter(
    lambda at: 1 < at.year < 9999  # the rest may leave the calendar on its way to UTC
)


class _BrokenOffError(Exception):
    pass


def test_rows_continue_each_other(dev: Database) -> None:
    append_actions(dev, 3)
    with dev.snapshot() as session:
        rows = session.scalars(sa.select(DeveloperAction).order_by(DeveloperAction.sequence)).all()
        head = session.get_one(EnvironmentChainHead, "developer_actions")
    assert [row.sequence for row in rows] == [1, 2, 3]
    assert [row.previous_hash for row in rows] == [GENESIS, rows[0].row_hash, rows[1].row_hash]
    assert (head.length, head.last_hash) == (3, rows[2].row_hash)


def test_a_row_lives_and_dies_with_the_act_that_it_records(dev: Database) -> None:
    append_actions(dev, 1)
    with contextlib.suppress(_BrokenOffError), dev.begin() as session:
        append(session, action())
        raise _BrokenOffError
    append_actions(dev, 1)
    with dev.snapshot() as session:
        assert session.scalars(sa.select(DeveloperAction.sequence)).all() == [1, 2]
        assert list(verify(session, DeveloperAction)) == []


def test_many_writers_make_one_gapless_chain(dev: Database) -> None:
    threads, each = 8, 12
    together = threading.Barrier(threads)

    def write(_: int) -> None:
        together.wait()
        for _ in range(each):
            with dev.begin() as session:
                append(session, action())

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(threads)))
    with dev.snapshot() as session:
        sequences = session.scalars(sa.select(DeveloperAction.sequence).order_by(DeveloperAction.sequence)).all()
        assert list(sequences) == list(range(1, threads * each + 1))
        assert list(verify(session, DeveloperAction)) == []


def test_each_audit_table_has_a_chain(dev: Database, control: Database) -> None:
    now = datetime.now(UTC)
    with dev.begin() as session:
        append(
            session,
            EnvironmentPromotion(  # what is left out gets its default before the hash is taken
                promotion_id=uuid4(),
                promotion_type="stored_files",
                source_environment="dev",
                target_environment="stage",
                items_promoted={"total_count": 0},
                status="success",
                plan_digest="0" * 64,
                duration_seconds=2,
                occurred_at=now,
            ),
        )
        append(
            session,
            EnvironmentAccessLog(
                environment="dev", access_type="read", details={"a": [1, {"b": 1.0}]}, occurred_at=now
            ),
        )
        append(session, DeveloperAction(environment="dev", action="x", occurred_at=now))
    with control.begin() as session:
        append(session, EnvironmentAccess(environment="dev", action="enter", occurred_at=now))
    with dev.snapshot() as session:
        for model in (EnvironmentPromotion, EnvironmentAccessLog, DeveloperAction):
            assert list(verify(session, model)) == []
    with control.snapshot() as session:
        assert list(verify(session, EnvironmentAccess)) == []


@given(details=st.dictionaries(TEXT, JSON), reason=TEXT, at=TIMES, agent=st.text("\u200cابc \t\n", max_size=40))
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_has_the_hash_that_was_written(
    dev: Database, details: dict[str, Any], reason: str, at: datetime, agent: str
) -> None:
    with dev.begin() as session:
        append(session, action(details=details, reason=reason, occurred_at=at, user_agent=agent))
    table = table_of(DeveloperAction)
    with dev.snapshot() as session:
        row = session.execute(sa.select(table).order_by(table.c.sequence.desc()).limit(1)).one()
        assert hash_after({column.name: row._mapping[column] for column in table.columns}) == row.row_hash


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"reason": "a\0b"}, "NUL"),
        ({"details": {"deep": ["a\0b"]}}, "NUL"),
        ({"details": {"a\0b": 1}}, "NUL"),
        ({"details": {"big": 2**53}}, "exceeds safe integer"),
        ({"details": {"nan": math.nan}}, "not representable"),
        ({"details": {1: "keys are text"}}, "keys must be strings"),
        ({"details": {"id": uuid4()}}, "unsupported type"),
        ({"details": {"half": "\ud800"}}, "non-UTF-8"),
        ({"reason": "\ud800"}, "non-UTF-8"),
        ({"user_agent": "x" * 501}, "501 characters, and at most 500"),
        ({"user_agent": "x" * 500 + " "}, "501 characters, and at most 500"),
        ({"occurred_at": datetime(2026, 1, 1)}, "without a time zone"),  # noqa: DTZ001
    ],
)
def test_what_would_not_come_back_as_it_is_is_refused(dev: Database, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence), dev.begin() as session:
        append(session, action(**values))
    append_actions(dev, 1)
    with dev.snapshot() as session:
        assert session.scalars(sa.select(DeveloperAction.sequence)).all() == [1]
