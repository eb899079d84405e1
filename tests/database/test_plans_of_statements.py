"""How Postgres goes about what is asked of a plan's items.

A promotion is younger than Postgres's statistics, which take it for a handful of items: whatever is joined is then
compared each with each, and that of thousands takes seconds, of a hundred thousand hours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from tests.database.postgres import Postgres
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.promotion.items import PlanItems
from wisqu_pipelines.promotion.ledger import Claim, Ledger
from wisqu_pipelines.promotion.models import PromotionState, Step
from wisqu_pipelines.storage.memory import ManualClock

PROMOTION = """
    INSERT INTO promotions (id, promotion_type, source_environment, target_environment, plan_digest, selection, totals,
        policy, requested_via, created_at)
    VALUES (:id, 'rag_documents', 'dev', 'stage', 'own', '{}', '{}', '{}', 'test', now())
"""
ITEMS = """
    INSERT INTO promotion_items (promotion_id, item_type, source_id, target_id, source_status, label, effect,
        source_hashes, belongs_to, bytes, points)
    SELECT :id, kind, md5(kind || n)::uuid, gen_random_uuid(), 'approved', 'a', 'create', '{}',
        CASE kind WHEN 'rag_documents' THEN jsonb_build_object('file_id', md5('stored_files' || n)::uuid) END, 1, 0
    FROM generate_series(1, 30) n, unnest(ARRAY['stored_files', 'rag_documents']) kind
"""
SKIPPED = """
    INSERT INTO promotion_journal (promotion_id, item_type, source_id, step, epoch)
    SELECT :id, 'stored_files', md5('stored_files' || n)::uuid, 'skipped', 0 FROM generate_series(1, 10) n
"""


@pytest.fixture
def control(postgres: Postgres) -> Database:
    return postgres.open(postgres.migrated_database("control"))


@pytest.fixture
def promotion(control: Database) -> UUID:
    """One of 30 documents with their files, of which 10 files stay behind."""
    made = uuid4()
    with control.begin() as session:
        for statement in (PROMOTION, ITEMS, SKIPPED):
            session.execute(sa.text(statement), {"id": made})
    return made


@contextmanager
def explained(database: Database) -> Iterator[list[str]]:
    """How Postgres goes about each statement of the block."""
    plans: list[str] = []

    def explain(connection: sa.Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "promotion_journal" in statement and not statement.startswith("EXPLAIN"):
            found = connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {statement}", parameters)
            plans.append("\n".join(line for (line,) in found))

    event.listen(database.engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(database.engine, "before_cursor_execute", explain)


def test_items_are_counted_and_found_without_a_join(control: Database, promotion: UUID) -> None:
    items = PlanItems(control)
    with explained(control) as plans:
        assert items.count(promotion, not_passed=(Step.SKIPPED, Step.ROLLED_BACK)) == 50
        assert items.brought(promotion, [uuid4()]) == []
    assert len(plans) == 2
    assert [plan for plan in plans if "Join" in plan or "Nested Loop" in plan] == []


def test_what_belongs_to_a_skipped_item_is_found_without_a_join(control: Database, promotion: UUID) -> None:
    ledger = Ledger(control, ManualClock(datetime.now(UTC)))
    with explained(control) as plans:
        ledger.leave_dependents(Claim(promotion, "test", 0, PromotionState.EXECUTING))
    assert any("Insert on promotion_journal" in plan for plan in plans)
    assert [plan for plan in plans if "Join" in plan or "Nested Loop" in plan] == []
    count, named = PlanItems(control).skipped(promotion, 1)
    assert count == 20
    assert "stored_files" in named[0]["error"]
    assert "that it belongs to stays behind" in named[0]["error"]
