"""The control database itself knows how a promotion may move."""

from contextlib import suppress
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.database.postgres import Postgres
from wisqu_pipelines import migrations
from wisqu_pipelines.promotion.models import LEGAL_MOVES, PromotionState

INSERT = """
    INSERT INTO promotions (id, promotion_type, source_environment, target_environment, state, plan_digest, selection,
        totals, policy, requested_via, created_at)
    VALUES (%s, 'stored_files', 'dev', 'stage', %s, '', '{}', '{}', '{"approvals": 1}', 'test', now())
"""
APPROVAL = """
    INSERT INTO promotion_approvals (promotion_id, user_id, plan_digest, decision, role, decided_at, expires_at)
    VALUES (%s, %s, '', 'approve', 'admin', now(), now())
"""


def test_the_database_allows_the_moves_that_the_code_knows(postgres: Postgres) -> None:
    settings = postgres.empty_database("control")
    migrations.upgrade(postgres.open(settings, owner=True), "control")
    allowed = set()
    with postgres.superuser(settings.name) as connection:
        for before in PromotionState:
            for after in PromotionState:
                promotion_id = _promotion_in(connection, before)
                with suppress(psycopg.errors.CheckViolation):
                    connection.execute("UPDATE promotions SET state = %s WHERE id = %s", (after, promotion_id))
                    allowed.add((before, after))
    staying = {(state, state) for state in PromotionState}
    assert allowed == {(before, after) for before, moves in LEGAL_MOVES.items() for after in moves} | staying


def test_a_promotion_begins_as_a_plan(postgres: Postgres) -> None:
    settings = postgres.empty_database("control")
    migrations.upgrade(postgres.open(settings, owner=True), "control")
    with postgres.superuser(settings.name) as connection:
        connection.execute(INSERT, (uuid4(), PromotionState.PLANNED))
        for state in set(PromotionState) - {PromotionState.PLANNED}:
            with pytest.raises(psycopg.errors.CheckViolation, match=f"cannot begin as {state}"):
                connection.execute(INSERT, (uuid4(), state))


def _promotion_in(connection: psycopg.Connection, state: PromotionState) -> UUID:
    promotion_id = uuid4()
    connection.execute("SET session_replication_role = replica")
    connection.execute(INSERT, (promotion_id, state))
    connection.execute(APPROVAL, (promotion_id, uuid4()))  # enough people said yes to it
    connection.execute("SET session_replication_role = origin")
    return promotion_id
