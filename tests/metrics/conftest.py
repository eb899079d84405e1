"""A world whose figures are counted by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.fixtures.stack import Stack
from tests.retention.conftest import Rows
from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentAccess, EnvironmentAccessLog
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import StoredFile, User
from wisqu_pipelines.devstack import postgres
from wisqu_pipelines.identity import demo_people, people
from wisqu_pipelines.metrics.frames import Row
from wisqu_pipelines.promotion.models import Promotion, PromotionItem, PromotionJournal

EVIL = "<script>alert('1')</script>"
MARKED = "emails/example_domain in filename: 'secret@person.org' (an address of nobody)"


@dataclass
class Counted:
    """Databases, and rows for them that a test counts."""

    services: Services
    stack: Stack

    def person(self, email: str = demo_people.DEVELOPER) -> UUID:
        with self.services.control.begin() as session:
            return people.find(session, email).id

    def rows(self, name: str, environment: str | None = None, **more: Any) -> list[Row]:
        return self.services.metrics.rows(name, environment, **more)

    def file(self, environment: str = "dev", size: int = 10, **columns: Any) -> UUID:
        opened = self.services.environments[environment]
        row = StoredFile(
            **{"id": uuid4(), "filename": "a.md", "bucket": "wisqu-documents", "object_name": f"stored_files/{uuid4()}"}
            | {"content_type": "text/markdown", "file_size_bytes": size}
            | columns
        )
        with opened.database.begin() as session:
            session.add(row)
        return row.id

    def promotion(
        self,
        state: str,
        days: float = 1,
        *,
        target: str = "stage",
        items: Sequence[Mapping[str, Any]] = (),
        **columns: Any,
    ) -> UUID:
        at = datetime.now(UTC) - timedelta(days=days)
        source = {"stage": "dev", "prod": "stage"}[target]
        row = Promotion(
            **{"id": uuid4(), "promotion_type": "stored_files", "source_environment": source, "state": "planned"}
            | {"target_environment": target, "plan_digest": "0" * 64, "selection": {}, "totals": {}, "policy": {}}
            | {"requested_via": "test", "created_at": at, "run_id": None, "epoch": 0}
            | columns
        )
        with self.services.control.begin() as session:
            session.add(row)
            session.flush()
            for each in items:
                session.add(self._item(row.id, **each))
        with postgres.connect(self.stack.site, self.services.control.name) as connection:
            connection.execute("SET session_replication_role = replica")  # past the guards of the gate
            connection.execute("UPDATE promotions SET state = %s WHERE id = %s", (state, row.id))
        return row.id

    def _item(self, promotion_id: UUID, **columns: Any) -> PromotionItem:
        return PromotionItem(
            **{"promotion_id": promotion_id, "item_type": "stored_files", "source_id": uuid4(), "target_id": uuid4()}
            | {"source_status": "approved", "label": EVIL, "effect": "create", "source_hashes": {}}
            | {"bytes": 100, "points": 0}
            | columns
        )

    def passed(self, promotion_id: UUID, source_id: UUID, step: str) -> None:
        about = {"promotion_id": promotion_id, "item_type": "stored_files", "source_id": source_id, "epoch": 1}
        with self.services.control.begin() as session:
            session.add(PromotionJournal(**about, step=step))

    def entered(self, who: UUID | None, environment: str = "prod", **columns: Any) -> None:
        row = EnvironmentAccess(
            **{"user_id": who, "environment": environment, "action": "environment_token", "reason": None}
            | {"details": {}, "occurred_at": datetime.now(UTC)}
            | columns
        )
        with self.services.control.begin() as session:
            append(session, row)

    def did(self, who: UUID | None, action: str, environment: str = "dev", **columns: Any) -> None:
        about = {"developer_id": who, "environment": environment, "action": action, "occurred_at": datetime.now(UTC)}
        with self.services.environments[environment].database.begin() as session:
            append(session, DeveloperAction(**about | columns))

    def came(self, who: UUID, access_type: str, environment: str = "dev", **columns: Any) -> None:
        about = {"user_id": who, "environment": environment, "access_type": access_type}
        with self.services.environments[environment].database.begin() as session:
            append(session, EnvironmentAccessLog(**about | {"occurred_at": datetime.now(UTC)} | columns))

    def account(self, developer: UUID, hours: float, environment: str = "dev", **columns: Any) -> None:
        about = {"email": f"{uuid4()}@example.org", "role": "user", "is_test_account": True}
        expires = datetime.now(UTC) + timedelta(hours=hours)
        row = User(**about, created_by_developer=developer, test_expires_at=expires, **columns)
        with self.services.environments[environment].database.begin() as session:
            session.add(row)


@pytest.fixture
def counted(services: Services, stack: Stack) -> Counted:
    return Counted(services, stack)


@pytest.fixture
def dev(services: Services) -> Rows:
    return Rows(services)
