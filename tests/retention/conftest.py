"""Rows of any age on real stores, and what becomes of them."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.catalog.models import Conversation, EnvironmentRow, Message, RagDocument, StoredFile, User
from wisqu_pipelines.catalog.points import point_id
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.retention.models import Sweep
from wisqu_pipelines.retention.service import RetentionService
from wisqu_pipelines.settings import Settings, load

OLD = 400
"""Days: older than any environment keeps anything."""
CHUNKS = 2


@dataclass
class Rows:
    """One environment's rows."""

    services: Services
    name: str = "dev"

    @property
    def environment(self) -> Environment:
        return self.services.environments[self.name]

    @property
    def retention(self) -> RetentionService:
        return self.services.retention(self.name)

    @property
    def bucket(self) -> str:
        return self.environment.settings.get_bucket_name(self.services.settings.default_bucket)

    @property
    def collection(self) -> str:
        return self.environment.settings.get_collection_name(self.services.settings.default_collection)

    def document(
        self, days: float = OLD, *, file_days: float | None = None, owner_id: UUID | None = None, **columns: Any
    ) -> RagDocument:
        """A document with its file and points, so many days old."""
        file_id, document_id, version = uuid4(), uuid4(), uuid4()
        data = str(document_id).encode()
        key = f"stored_files/{file_id}/1/{uuid4()}"
        self.environment.objects.put(self.bucket, key, io.BytesIO(data), len(data))
        payload = {"document_id": str(document_id), "version": str(version), "environment": self.name, "text": "words"}
        points = [Point(point_id(version, n), [float(n + 1)] * 384, payload | {"chunk": n}) for n in range(CHUNKS)]
        self.environment.vectors.upsert(self.collection, points)
        file = StoredFile(
            id=file_id,
            filename=f"{document_id}.md",
            bucket=self.services.settings.default_bucket,
            object_name=key,
            content_type="text/markdown",
            file_size_bytes=len(data),
            owner_id=owner_id,
            created_at=self.ago(days if file_days is None else file_days),
        )
        document = RagDocument(
            **{"title": f"document {document_id}"} | columns,
            id=document_id,
            file_id=file_id,
            collection=self.services.settings.default_collection,
            vector_version=version,
            point_count=CHUNKS,
            embedding="test",
            created_at=self.ago(days),
        )
        with self.environment.database.begin() as session:
            session.add(file)
            session.flush()
            session.add(document)
        return document

    def user(self) -> UUID:
        with self.environment.database.begin() as session:
            user = User(email=f"{uuid4()}@example.org", role="user")
            session.add(user)
            session.flush()
            return user.id

    def conversation(self, days: float = OLD, message_days: tuple[float, ...] = (OLD,)) -> UUID:
        user = self.user()
        with self.environment.database.begin() as session:
            made = Conversation(user_id=user, title="About fasting", created_at=self.ago(days))
            session.add(made)
            session.flush()
            for each in message_days:
                message = Message(conversation_id=made.id, role="user", content="May I …", created_at=self.ago(each))
                session.add(message)
            return made.id

    def ago(self, days: float) -> datetime:
        return datetime.now(UTC) - timedelta(days=days)

    def change(self, model: type[EnvironmentRow], row_id: UUID, **columns: Any) -> None:
        with self.environment.database.begin() as session:
            session.execute(update(model).where(model.id == row_id).values(**columns))

    def visible(self, model: type[EnvironmentRow]) -> set[UUID]:
        with self.environment.database.begin() as session:
            return set(session.scalars(select(model.id).where(~model.is_deleted)))

    def count(self, model: type[EnvironmentRow]) -> int:
        with self.environment.database.begin() as session:
            return session.scalar(select(func.count()).select_from(model)) or 0

    def stored(self) -> tuple[int, int]:
        """How many of documents' files and points there are in the stores."""
        files = sum(1 for _ in self.environment.objects.list(self.bucket, "stored_files/"))
        return files, self.environment.vectors.count(self.collection, {})

    def end_grace(self, sweep_id: UUID) -> None:
        """As if the grace time of a sweep were over."""
        with self.environment.database.begin() as session:
            session.execute(update(Sweep).where(Sweep.id == sweep_id).values(purge_after=self.ago(1)))


@pytest.fixture
def rows(services: Services) -> Rows:
    return Rows(services)


@pytest.fixture
def prod(services: Services) -> Rows:
    """Where nothing is swept by itself."""
    return Rows(services, "prod")


@pytest.fixture
def strict(settings: Settings, services: Services) -> Iterator[Rows]:
    """Under a policy with a small cap."""
    del services  # they have set the world up
    environments = {name: each.model_dump() for name, each in settings.environments.items()}
    environments["dev"]["retention"] |= {"always_rows": 1, "most_share": 0.5, "most_rows": 3}
    with open_services(load(environments=environments)) as opened:
        yield Rows(opened)
