"""Verification: whatever is done to a chain with a superuser's rights is found, and where."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.rows import dict_row

from tests.audit.chains import TABLE, action, append_actions, run
from tests.database.postgres import Postgres
from wisqu_pipelines.audit.anchors import CONTROL, checkpoint
from wisqu_pipelines.audit.canonical import hash_after
from wisqu_pipelines.audit.chain import GENESIS, append
from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentAccess
from wisqu_pipelines.audit.verification import (
    SHOWN_FINDINGS,
    AuditReport,
    Damage,
    Finding,
    verify,
    verify_control,
    verify_environment,
)
from wisqu_pipelines.database.session import Database

ROWS = 7
EDITS: dict[str, tuple[str, Any]] = {
    "developer_id": ("uuid", "00000000-0000-0000-0000-000000000000"),
    "environment": ("text", "prod"),
    "action": ("text", "approve_for_promotiom"),
    "reason": ("text", None),
    "details": ("jsonb", '{"type": "stored_files", "numbers": [1, 1.5, 1e23], "متن": null}'),
    "success": ("boolean", False),
    "ip_address": ("text", ""),
    "user_agent": ("text", "tests "),
    "occurred_at": ("timestamptz", "2001-01-01T00:00:00Z"),
    "previous_hash": ("text", GENESIS[1:] + "1"),
    "row_hash": ("text", "f" * 64),
}
once = hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
places = st.integers(1, ROWS)


Findings = Callable[[Callable[[Connection], None]], list[Finding]]


@pytest.fixture
def findings_after(dev: Database, postgres: Postgres) -> Findings:
    """Lay a hand on a fresh chain of `ROWS` rows, and say what a verification finds then."""

    def run_on_fresh_chain(tamper: Callable[[Connection], None]) -> list[Finding]:
        with postgres.tampering(dev.name) as connection:
            connection.execute("TRUNCATE developer_actions, audit_chain_heads")
            append_actions(dev, ROWS)
            with dev.snapshot() as session:
                assert list(verify(session, DeveloperAction)) == []
            tamper(connection)
        with dev.snapshot() as session:
            return list(verify(session, DeveloperAction))

    return run_on_fresh_chain


@given(place=places, column=st.sampled_from(sorted(EDITS)))
@once
def test_an_edited_row_is_found(findings_after: Findings, place: int, column: str) -> None:
    kind, value = EDITS[column]
    edit_column = "UPDATE TABLE SET {column} = %s::{kind} WHERE sequence = %s"

    def edit(connection: Connection) -> None:
        run(connection, edit_column.format(column=column, kind=kind), value, place)

    found = findings_after(edit)
    assert [each.sequence for each in found] == [place]
    assert found[0].damage in {Damage.EDITED, Damage.MOVED}
    assert str(found[0]).startswith(f"{TABLE} {place}: ")


@given(place=places, more=st.integers(0, 2))
@once
def test_a_deleted_row_is_found(findings_after: Findings, place: int, more: int) -> None:
    last = min(place + more, ROWS)
    found = findings_after(lambda each: run(each, "DELETE FROM TABLE WHERE sequence BETWEEN %s AND %s", place, last))
    damage = Damage.CUT_OFF if last == ROWS else Damage.MISSING
    assert [(each.sequence, each.damage) for each in found] == [(place, damage)]


@given(pair=st.lists(places, min_size=2, max_size=2, unique=True))
@once
def test_swapped_rows_are_found(findings_after: Findings, pair: list[int]) -> None:
    one, other = pair

    def swap(connection: Connection) -> None:
        run(connection, "UPDATE TABLE SET sequence = -sequence WHERE sequence IN (%s, %s)", one, other)
        run(connection, "UPDATE TABLE SET sequence = %s + sequence + %s WHERE sequence < 0", one, other)

    found = findings_after(swap)
    assert {one, other} <= {each.sequence for each in found if each.damage == Damage.MOVED}


@given(kept=st.integers(0, ROWS - 1))
@once
def test_a_cut_off_tail_is_found(findings_after: Findings, kept: int) -> None:
    found = findings_after(lambda each: run(each, "DELETE FROM TABLE WHERE sequence > %s", kept))
    assert [(each.sequence, each.damage) for each in found] == [(kept + 1, Damage.CUT_OFF)]
    assert "by what its head says" in found[0].detail


def test_a_row_that_nobody_appended_is_found(findings_after: Findings) -> None:
    def insert(connection: Connection) -> None:
        run(
            connection,
            "INSERT INTO TABLE SELECT gen_random_uuid(), occurred_at, sequence + 1, row_hash, previous_hash, "
            "developer_id, environment, action, reason, details, success FROM TABLE WHERE sequence = %s",
            ROWS,
        )

    found = findings_after(insert)
    assert {each.sequence for each in found} == {ROWS + 1}
    assert Damage.FOREIGN in {each.damage for each in found}


def test_a_missing_head_is_found(findings_after: Findings) -> None:
    found = findings_after(lambda each: run(each, "DELETE FROM audit_chain_heads"))
    assert [(each.sequence, each.damage) for each in found] == [(1, Damage.FOREIGN)]


def test_a_row_edited_with_its_hash_does_not_fit_its_neighbour(findings_after: Findings) -> None:
    found = findings_after(lambda each: _forge(each, 3))
    assert [(each.sequence, each.damage) for each in found] == [(4, Damage.MOVED)]


def test_the_last_row_edited_with_its_hash_does_not_fit_the_head(findings_after: Findings) -> None:
    found = findings_after(lambda each: _forge(each, ROWS))
    assert [(each.sequence, each.damage) for each in found] == [(ROWS, Damage.REWRITTEN)]


class TestCheckpoints:
    """What is kept in the control database shows what the environment's own tables cannot."""

    def test_a_rewritten_chain_is_found(self, dev: Database, control: Database, postgres: Postgres) -> None:
        append_actions(dev, 4)
        assert _checkpoint(control, dev) == 1
        assert _checkpoint(control, dev) == 0  # it has not grown
        append_actions(dev, 3)
        with postgres.tampering(dev.name) as connection:
            for sequence in range(3, 8):
                _forge(connection, sequence, relink=True)
            run(
                connection,
                "UPDATE audit_chain_heads SET last_hash = (SELECT row_hash FROM TABLE ORDER BY sequence DESC LIMIT 1)",
            )
        with dev.snapshot() as session:
            assert list(verify(session, DeveloperAction)) == []  # the environment agrees with itself
        found = _findings(verify_environment(control, dev, "dev"))
        assert [(each.sequence, each.damage) for each in found] == [(4, Damage.REWRITTEN)]

    def test_a_tail_cut_off_with_its_head_is_found(self, dev: Database, control: Database, postgres: Postgres) -> None:
        append_actions(dev, 5)
        _checkpoint(control, dev)
        with postgres.tampering(dev.name) as connection:
            run(connection, "DELETE FROM TABLE WHERE sequence > 2")
            run(
                connection,
                "UPDATE audit_chain_heads SET length = 2, last_hash = (SELECT row_hash FROM TABLE WHERE sequence = 2)",
            )
        found = _findings(verify_environment(control, dev, "dev"))
        assert [(each.sequence, each.damage) for each in found] == [(3, Damage.CUT_OFF)]
        assert "the checkpoint of" in found[0].detail

    def test_an_emptied_environment_is_found(self, dev: Database, control: Database, postgres: Postgres) -> None:
        append_actions(dev, 2)
        _checkpoint(control, dev)
        with postgres.tampering(dev.name) as connection:
            run(connection, "TRUNCATE TABLE, audit_chain_heads")
        found = _findings(verify_environment(control, dev, "dev"))
        assert [(each.sequence, each.damage) for each in found] == [(1, Damage.CUT_OFF)]

    def test_environments_do_not_answer_for_each_other(
        self, postgres: Postgres, dev: Database, control: Database
    ) -> None:
        append_actions(dev, 3)
        _checkpoint(control, dev)
        stage = postgres.open(postgres.migrated_database("environment", "stage"))
        assert verify_environment(control, stage, "stage").holds


def test_a_good_environment_gets_a_good_report(dev: Database, control: Database) -> None:
    append_actions(dev, 3)
    _checkpoint(control, dev)
    report = verify_environment(control, dev, "dev")
    assert report.holds
    assert {chain.table: chain.rows for chain in report.chains} == {
        "environment_promotions": 0,
        "environment_access_logs": 0,
        "developer_actions": 3,
    }


def test_the_control_databases_own_chain(control: Database, postgres: Postgres) -> None:
    for number in range(3):
        with control.begin() as session:
            append(session, EnvironmentAccess(environment="dev", action=f"{number}", occurred_at=datetime.now(UTC)))
    with control.begin() as session:
        assert checkpoint(session, session, CONTROL) == 1
    assert verify_control(control).holds
    with postgres.tampering(control.name) as connection:
        connection.execute("UPDATE environment_access_log SET user_id = %s WHERE sequence = 2", (uuid4(),))
    assert [each.sequence for each in _findings(verify_control(control))] == [2]


def test_a_report_counts_what_it_does_not_describe(dev: Database, control: Database, postgres: Postgres) -> None:
    with dev.begin() as session:
        for _ in range(SHOWN_FINDINGS + 10):
            append(session, action())
    with postgres.tampering(dev.name) as connection:
        run(connection, "UPDATE TABLE SET reason = 'x'")
    report = verify_environment(control, dev, "dev")
    chain = next(each for each in report.chains if each.table == TABLE)
    assert (len(chain.findings), chain.count) == (SHOWN_FINDINGS, SHOWN_FINDINGS + 10)
    assert not report.holds


def _checkpoint(control: Database, dev: Database) -> int:
    with control.begin() as noted, dev.begin() as session:
        return checkpoint(noted, session, "dev")


def _findings(report: AuditReport) -> list[Finding]:
    return [finding for chain in report.chains for finding in chain.findings]


def _forge(connection: Connection, sequence: int, *, relink: bool = False) -> None:
    """Edit a row and give it the hash that fits, and with `relink` also the hash before it that fits."""
    run(connection, "UPDATE TABLE SET reason = 'forged' WHERE sequence = %s", sequence)
    if relink:
        run(
            connection,
            "UPDATE TABLE SET previous_hash = (SELECT row_hash FROM TABLE WHERE sequence = %s) WHERE sequence = %s",
            sequence - 1,
            sequence,
        )
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("SELECT * FROM developer_actions WHERE sequence = %s", (sequence,)).fetchone()
    assert row is not None
    forged = hash_after(row)
    assert forged is not None
    assert len(forged) == hashlib.sha256().digest_size * 2
    run(connection, "UPDATE TABLE SET row_hash = %s WHERE sequence = %s", forged, sequence)
