"""Rows of an environment for detection tests, and a judge whose verdicts are plain to see."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import (
    Conversation,
    EnvironmentRow,
    Message,
    RagDocument,
    StoredFile,
    User,
    UserStorageQuota,
)
from wisqu_pipelines.catalog.points import DOCUMENT_ID, ENVIRONMENT, TEXT, VERSION, point_ids
from wisqu_pipelines.detection.context import RowFacts
from wisqu_pipelines.detection.evidence import Decision, Evidence, FieldKind, Verdict
from wisqu_pipelines.detection.reading import Chunks, Reader
from wisqu_pipelines.detection.scanning import Scan
from wisqu_pipelines.ports.vectors import Point

MAY = datetime(2026, 5, 10, tzinfo=UTC)
SCORES = {"junk": 1.5, "maybe": 0.7}


class Words:
    """A judge who knows two words: `junk` is test data, `maybe` is for a person to say."""

    def __init__(self, version: str = "words-1", scores: dict[str, float] | None = None) -> None:
        self.version = version
        self._scores = SCORES if scores is None else scores
        self.read: list[str] = []

    def judge_many(self, texts: Sequence[str | None], kind: FieldKind, field: str) -> list[Verdict | None]:
        self.read += [text for text in texts if text]
        return [self._verdict({field: text}) for text in texts]

    def judge_row(self, facts: RowFacts, _found_in: Mapping[str, Sequence[Evidence]]) -> Verdict:
        found = self._verdict({**facts.texts, "account": facts.account_email})
        return found or Verdict(Decision.REAL, 0.0, ())

    def _verdict(self, texts: dict[str, str | None]) -> Verdict | None:
        evidence = tuple(
            Evidence(word, "words", field, score, word, "the judge knows it")
            for field, text in texts.items()
            for word, score in self._scores.items()
            if text and word in text
        )
        if not evidence:
            return None
        score = max(each.weight for each in evidence)
        return Verdict(Decision.TEST if score >= 1 else Decision.REVIEW, score, evidence)


def scan(services: Services, judge: Any, env: str = "dev", **how: Any) -> Scan:
    """A scan with such a judge."""
    environment = services.environments[env]
    begin: Callable[[], AbstractContextManager[Session]] = environment.database.begin
    reader = Reader(judge, Chunks(environment.vectors, environment.settings.get_collection_name, share=1.0))
    return Scan(env, begin, reader, judge.version, services.clock, **how)


def add(services: Services, *rows: EnvironmentRow, env: str = "dev") -> list[UUID]:
    """Write rows, in their order; returns their ids."""
    with services.environments[env].database.begin() as session:
        for row in rows:
            session.add(row)
            session.flush()
        return [row.id for row in rows]


def get(services: Services, model: type[EnvironmentRow], item_id: UUID, env: str = "dev") -> Any:
    """A row as it is now."""
    with services.environments[env].database.begin() as session:
        return session.get_one(model, item_id)


def user(full_name: str | None = "Maryam Hosseini", **columns: Any) -> User:
    return User(**{"id": uuid4(), "email": f"{uuid4()}@mail.org", "full_name": full_name, "role": "user", **columns})


def file(filename: str = "guide.md", **columns: Any) -> StoredFile:
    own: dict[str, Any] = {
        "id": uuid4(),
        "bucket": "documents",
        "object_name": f"stored_files/{uuid4()}",
        "content_type": "text/plain",
        "file_size_bytes": 1,
        "created_at": MAY,
    }
    return StoredFile(filename=filename, **{**own, **columns})


def document(services: Services, of: UUID, title: str = "A guide", *chunks: str, **columns: Any) -> RagDocument:
    """A document whose chunks lie in dev's collection."""
    environment = services.environments["dev"]
    base = services.settings.default_collection
    version, document_id = uuid4(), uuid4()
    own = {DOCUMENT_ID: str(document_id), VERSION: str(version), ENVIRONMENT: "dev"}
    ids = point_ids(version, len(chunks))
    points = [Point(id_, [1.0] * 384, {**own, TEXT: text}) for id_, text in zip(ids, chunks, strict=True)]
    environment.vectors.upsert(environment.settings.get_collection_name(base), points)
    return RagDocument(
        id=document_id,
        file_id=of,
        title=title,
        collection=base,
        vector_version=version,
        point_count=len(chunks),
        embedding="none",
        **{"created_at": MAY, **columns},
    )


def conversation(of: UUID, title: str | None = None, **columns: Any) -> Conversation:
    return Conversation(id=uuid4(), user_id=of, title=title, **columns)


def message(of: UUID, content: str, **columns: Any) -> Message:
    return Message(id=uuid4(), conversation_id=of, role="user", content=content, **columns)


def quota(of: UUID) -> UserStorageQuota:
    return UserStorageQuota(id=uuid4(), user_id=of, max_bytes=1, max_files=1)
