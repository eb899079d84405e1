"""Rows alone: 200,000 rows of 25 columns published in another database and marked at their source, against the ORM and
against Postgres's own COPY from database to database.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.ratios import Act, Prepare, Ratio, compare
from benchmarks.rivals import rows as rivals
from wisqu_pipelines.audit.models import EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.catalog.models import StoredFile
from wisqu_pipelines.identity import demo_people, people
from wisqu_pipelines.promotion.drafts import Draft, drafted, source_rows
from wisqu_pipelines.promotion.ledger import Ledger
from wisqu_pipelines.promotion.models import Promotion, PromotionApproval
from wisqu_pipelines.promotion.plan import FileAt, policy_of
from wisqu_pipelines.promotion.publishing import publish
from wisqu_pipelines.promotion.signatures import ApprovalSignatures
from wisqu_pipelines.promotion.sources import hold, mark
from wisqu_pipelines.promotion.staging import Staging
from wisqu_pipelines.promotion.types import TYPES
from wisqu_pipelines.promotion.work import Route, Work
from wisqu_pipelines.promotion.writing import PlanWriter
from wisqu_pipelines.settings import Settings

ROWS = 200_000
FILES = TYPES[StoredFile.__tablename__]
SEED = """
    INSERT INTO stored_files (id, environment, filename, bucket, object_name, content_type, file_size_bytes,
        checksum_sha256, is_promotable, promotion_status)
    SELECT gen_random_uuid(), 'dev', 'bench/' || n || '.txt', :bucket, 'stored_files/' || n, 'text/plain', n,
        encode(sha256(n::text::bytea), 'hex'), true, 'approved'
    FROM generate_series(1, :count) AS n
"""


def measure(settings: Settings, rounds: int) -> Iterator[Ratio]:
    """The ratios, on the embedded Postgres, dev → stage."""
    with open_services(settings) as services:
        here, there = (services.environments[name].database for name in ("dev", "stage"))
        yield from compare(
            _published(services),
            {
                f"{ROWS} rows, against the ORM's add_all": (
                    _emptied(services, lambda: rivals.add_all(here, there)),
                    15.0,
                ),
                f"{ROWS} rows, against COPY piped straight": (
                    _emptied(services, lambda: rivals.piped(here, there)),
                    0.75,
                ),
            },
            rounds,
        )


def _emptied(services: Services, act: Act) -> Prepare:
    def prepare() -> Act:
        _seed(services)
        return act

    return prepare


def _published(services: Services) -> Prepare:
    def prepare() -> Act:
        _seed(services)
        work = _work(services)
        staging = Staging(work.id, work.route)

        def act() -> None:
            about = EnvironmentPromotion(
                promotion_id=work.id,
                promotion_type=FILES.name,
                source_environment="dev",
                target_environment="stage",
                status=ReceiptStatus.SUCCESS,
                plan_digest="0" * 64,
                error_count=0,
                occurred_at=datetime.now(UTC),
            )
            with work.route.target.database.begin() as there:
                publish(work, there, staging, about)
            for names in work.ledger.items.names(work.id):
                mark(work.route.source, work.id, names)
            assert about.success_count == ROWS

        return act

    return prepare


def _seed(services: Services) -> None:
    for name in ("dev", "stage"):
        with services.environments[name].database.begin() as session:
            session.execute(text("DELETE FROM rag_documents"))
            session.execute(text("DELETE FROM stored_files"))
    with services.environments["dev"].database.begin() as session:
        session.execute(text(SEED), {"bucket": services.settings.default_bucket, "count": ROWS})
    with services.control.begin() as session:
        session.execute(text("ANALYZE promotion_items"))


def _work(services: Services) -> Work:
    """A claimed promotion of all those rows, as if their files had been staged."""
    ledger = Ledger(services.control, services.clock)
    path = services.settings.path("dev", "stage")
    route = Route(path, services.environments["dev"], services.environments["stage"], None)
    with services.control.begin() as session:
        promotion = Promotion(
            id=uuid4(),
            promotion_type=FILES.name,
            source_environment="dev",
            target_environment="stage",
            plan_digest="0" * 64,
            selection={},
            totals={},
            policy=policy_of(path),
            requested_via="bench",
            created_at=services.clock.now(),
        )
        session.add(promotion)
        session.flush()
        plan = PlanWriter(session, promotion)
        for page in _pages(services):
            plan.add(page)
        session.add(_approval(session, promotion))
        session.flush()
        promotion.state = "approved"
    claim = ledger.claim(promotion.id, "bench")
    hold(route.source, promotion.id, ledger.items.names(promotion.id))
    return Work(claim, promotion, route, ledger, ApprovalSignatures(services.settings), services.clock)


def _approval(session: Session, promotion: Promotion) -> PromotionApproval:
    """What the database wants to see before it lets a promotion be claimed."""
    return PromotionApproval(
        promotion_id=promotion.id,
        user_id=people.find(session, demo_people.ADMIN).id,
        plan_digest=promotion.plan_digest,
        decision="approve",
        role="admin",
        decided_at=promotion.created_at,
        expires_at=promotion.created_at + timedelta(days=1),
    )


def _pages(services: Services) -> Iterator[list[Draft]]:
    rows = source_rows(FILES, None).execution_options(yield_per=5_000)
    with services.environments["dev"].database.snapshot() as session:
        for part in session.execute(rows).partitions():
            drafts = [drafted(FILES, row, "stage") for row in part]
            for draft in drafts:
                row = draft.row
                draft.file = FileAt(row.bucket, row.object_name, "etag", row.file_size_bytes)
            yield drafts
