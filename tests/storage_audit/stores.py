"""An environment's stores with things in them that belong to somebody, or to nobody."""

import hashlib
import io
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, update

from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import RagDocument, StorageOrphan, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.promotion.models import PromotionItem
from wisqu_pipelines.storage_audit.report import AuditReport, Finding, Problem
from wisqu_pipelines.storage_audit.service import StorageAudit

DANA = demo_people.DEVELOPER
DIMENSION = 384


class Stores(World):
    """The stores of every environment, and their audits."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.collection_base = services.settings.default_collection
        self.bucket_base = services.settings.default_bucket

    def bucket(self, env: str = "dev") -> str:
        return self.environment(env).settings.get_bucket_name(self.bucket_base)

    def collection(self, env: str = "dev") -> str:
        return self.environment(env).settings.get_collection_name(self.collection_base)

    def audit(self, env: str = "dev", **stores: Any) -> StorageAudit:
        """The audit of an environment, with stores of it replaced."""
        environment = replace(self.environment(env), **stores)
        return StorageAudit(self.services.control, environment, self.services.settings, self.services.clock)

    def run(self, env: str = "dev") -> tuple[AuditReport, list[Finding]]:
        found: list[Finding] = []
        return self.audit(env).run(found=found.append), found

    def repair(self, env: str = "dev") -> AuditReport:
        return self.audit(env).repair(DANA, "tidying up")

    def orphan_names(self, env: str = "dev") -> set[str]:
        return {each.name for each in self.run(env)[1] if each.problem == Problem.ORPHAN}

    def danglings(self, env: str = "dev") -> list[Finding]:
        return [each for each in self.run(env)[1] if each.problem == Problem.DANGLING]

    def put(self, key: str, data: bytes = b"left over", env: str = "dev") -> str:
        self.environment(env).objects.put(self.bucket(env), key, io.BytesIO(data), len(data))
        return key

    def object_keys(self, env: str = "dev") -> set[str]:
        return {each.key for each in self.environment(env).objects.list(self.bucket(env))}

    def put_points(self, count: int = 3, version: UUID | str | None = None, env: str = "dev", **payload: Any) -> str:
        version = version or uuid4()
        ids = point_ids(version if isinstance(version, UUID) else uuid4(), count)
        values = {"document_id": str(uuid4()), "version": str(version), "environment": env, **payload}
        points = [Point(each, [1.0] * DIMENSION, values) for each in ids]
        self.environment(env).vectors.upsert(self.collection(env), points)
        return str(version)

    def count(self, version: str, env: str = "dev", **match: str) -> int:
        return self.environment(env).vectors.count(self.collection(env), {"version": version, **match})

    def row_for(self, key: str, data: bytes = b"left over", env: str = "dev", **columns: Any) -> UUID:
        """A row of `stored_files` that names an object."""
        row = StoredFile(
            id=uuid4(),
            filename="late.txt",
            bucket=self.bucket_base,
            object_name=key,
            content_type="text/plain",
            file_size_bytes=len(data),
            checksum_sha256=hashlib.sha256(data).hexdigest(),
            **columns,
        )
        with self.environment(env).database.begin() as session:
            session.add(row)
        return row.id

    def marks(self, env: str = "dev") -> dict[str, StorageOrphan]:
        with self.environment(env).database.begin() as session:
            return {each.name: each for each in session.scalars(select(StorageOrphan))}

    def age(self, env: str = "dev", hours: float = 169, **columns: Any) -> None:
        """Let every mark be that much older."""
        with self.environment(env).database.begin() as session:
            session.execute(
                update(StorageOrphan).values(
                    first_seen_at=StorageOrphan.first_seen_at - timedelta(hours=hours), **columns
                )
            )

    def versions(self, document: UUID, env: str) -> tuple[str, str]:
        """The object and the points' version that a document's rows name."""
        row = self.promoted(document, env)
        return self.file_of(row.id, env).object_name, str(row.vector_version)

    def promoted(self, document: UUID, env: str = "stage") -> RagDocument:
        with self.environment(env).database.begin() as session:
            return session.scalars(select(RagDocument).where(RagDocument.source_id == document)).one()

    def planned(self) -> UUID:
        """A promotion of all approved documents from dev to stage, that waits for approval."""
        made = self.services.promotions.preview_promotion(
            "rag_documents", "dev", "stage", requested_by_user_id=self.person(), reason="test"
        )
        return made.promotion_id

    def approved(self) -> UUID:
        """The same, approved."""
        promotion_id = self.planned()
        self.services.approvals.grant(promotion_id, DANA)
        return promotion_id

    def promote_all(self) -> UUID:
        promotion_id = self.approved()
        self.services.promotions.execute(promotion_id, run_id=f"test:{uuid4()}", executed_by_user_id=self.person())
        return promotion_id

    def items(self, promotion_id: UUID) -> list[PromotionItem]:
        with self.services.control.begin() as session:
            return list(session.scalars(select(PromotionItem).where(PromotionItem.promotion_id == promotion_id)))
