"""A person with rows, files and vectors in dev."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select

from tests.retention.conftest import Rows
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import (
    Conversation,
    EnvironmentRow,
    Message,
    PromotionBeforeImage,
    RagDocument,
    StoredFile,
    TestDataMark,
    User,
    UserStorageQuota,
    table_of,
)
from wisqu_pipelines.erasure.report import ErasureReport
from wisqu_pipelines.erasure.service import ErasureService
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN

CASE = "Case DSR-2026-17 of the data protection office"
EVERY: tuple[type[EnvironmentRow], ...] = (User, StoredFile, RagDocument, Conversation, Message, UserStorageQuota)


@dataclass
class Person:
    """Somebody who asks to be forgotten."""

    rows: Rows
    id: UUID
    document: RagDocument

    @property
    def erasures(self) -> ErasureService:
        return self.rows.services.erasures

    def approved(self) -> UUID:
        asked = self.erasures.request("dev", self.id, ADMIN, CASE)
        return self.erasures.approve(asked.id, SUPERADMIN).id

    def erased(self) -> ErasureReport:
        return self.erasures.run(self.approved(), ADMIN)

    def left(self) -> int:
        return sum(self.rows.count(model) for model in EVERY)

    def saved(self) -> Callable[[], None]:
        """What gives rows, files and points back, as they are now: a restore from a backup."""
        rows, environment = self.rows, self.rows.environment
        with environment.database.begin() as session:
            kept: list[tuple[type[EnvironmentRow], list[dict[str, Any]]]] = [
                (model, [dict(row) for row in session.execute(select(table_of(model))).mappings()]) for model in EVERY
            ]
        objects = {}
        for each in environment.objects.list(rows.bucket, "stored_files/"):
            with environment.objects.read(rows.bucket, each.key) as chunks:
                objects[each.key] = b"".join(chunks)
        points = list(environment.vectors.scroll(rows.collection, {}, vectors=True))

        def restore() -> None:
            for key, data in objects.items():
                environment.objects.put(rows.bucket, key, io.BytesIO(data), len(data))
            environment.vectors.upsert(rows.collection, points)
            with environment.database.begin() as session:
                for model, values in kept:
                    if values:
                        session.execute(insert(table_of(model)), values)

        return restore


def a_person(services: Services) -> Person:
    rows = Rows(services)
    user = rows.user()
    document = rows.document(1, owner_id=user, title="My divorce")
    with rows.environment.database.begin() as session:
        talk = Conversation(user_id=user, title="About my divorce")
        session.add_all([talk, UserStorageQuota(user_id=user, max_bytes=1, max_files=1)])
        session.flush()
        session.add(Message(conversation_id=talk.id, role="user", content="My husband …"))
        image = {"title": "My marriage", "collection": document.collection, "point_count": 2}
        session.add_all(
            [
                PromotionBeforeImage(
                    promotion_id=uuid4(),
                    item_type="rag_documents",
                    target_id=document.id,
                    image=image | {"vector_version": str(document.vector_version)},
                ),
                TestDataMark(
                    item_type="rag_documents",
                    item_id=document.id,
                    is_test_data=False,
                    texts={"title": "My divorce"},
                    marked_at=rows.ago(1),
                ),
            ]
        )
    return Person(rows, user, document)


@pytest.fixture
def person(services: Services) -> Person:
    return a_person(services)
