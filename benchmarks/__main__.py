"""`make bench`: prints each ratio with its goal, and writes them to var/bench.json."""

import hashlib
import io
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from benchmarks.rivals import item_by_item
from tests.fixtures.stack import declared_in
from wisqu_pipelines.bootstrap import Services, open_services, set_up
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.devstack.supervisor import running
from wisqu_pipelines.identity import demo_people, people
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.settings import load

ITEMS, POINTS, SIZE, ROUNDS = 200, 8, 20_000, 3
"""Documents a round, points of a document, bytes of a file, rounds (their median counts)."""
GOAL = 1.0
"""Planning, verifying, journalling and being reversible must not make a promotion slower than doing none of it."""


def main() -> int:
    """Measure; 0 if every goal is met."""
    with _services() as services:
        ours, rival = [], []
        for number in range(1, ROUNDS + 1):
            print(f"round {number} of {ROUNDS}: {ITEMS} documents of {SIZE} bytes and {POINTS} points", file=sys.stderr)
            rival.append(_timed(_rival(services, _documents(services, approved=False))))
            ours.append(_timed(_ours(services, _documents(services, approved=True))))
    ratio = statistics.median(rival) / statistics.median(ours)
    result = {
        "name": f"a promotion of {ITEMS} documents, against a loop item by item",
        "ratio": round(ratio, 2),
        "goal": GOAL,
        "holds": ratio >= GOAL,
        "ours": round(statistics.median(ours), 2),
        "rival": round(statistics.median(rival), 2),
    }
    Path("var").mkdir(exist_ok=True)
    Path("var/bench.json").write_text(json.dumps([result], indent=2) + "\n")
    mark = "holds" if result["holds"] else "MISSED"
    print(f"{result['name']}: {ratio:.2f}x (goal {GOAL}x, {mark}); ours {result['ours']} s, rival {result['rival']} s")
    return 0 if result["holds"] else 1


@contextmanager
def _services() -> Iterator[Services]:
    with tempfile.TemporaryDirectory(prefix="wisqu-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with declared_in(Path(folder)) as declared, running(declared):
            settings = load()
            set_up(settings)
            with open_services(settings) as services:
                yield services


def _timed(act: Callable[[], None]) -> float:
    started = perf_counter()
    act()
    return perf_counter() - started


def _ours(services: Services, ids: list[UUID]) -> Callable[[], None]:
    with services.control.begin() as session:
        person = people.find(session, demo_people.DEVELOPER).id

    def promote() -> None:
        planned = services.promotions.preview_promotion(
            "rag_documents", "dev", "stage", ids, requested_by_user_id=person
        )
        services.approvals.grant(planned.promotion_id, person)
        done = services.promotions.execute(planned.promotion_id, run_id="bench")
        assert done.success_count == 2 * len(ids)

    return promote


def _rival(services: Services, ids: list[UUID]) -> Callable[[], None]:
    def promote() -> None:
        here, there = (services.environments[name].database for name in ("dev", "stage"))
        with Session(here.engine) as one, Session(there.engine) as other:
            item_by_item.promote(services.settings, "dev", "stage", ids, one, other)

    return promote


def _documents(services: Services, *, approved: bool) -> list[UUID]:
    """Fresh documents in dev."""
    dev = services.environments["dev"]
    base = services.settings.default_collection
    files, documents, points = [], [], []
    for number in range(ITEMS):
        data = (f"{number} {uuid4()} ".encode() * (SIZE // 40 + 1))[:SIZE]
        file = StoredFile(
            id=uuid4(),
            filename=f"bench/{number}.txt",
            bucket=services.settings.default_bucket,
            object_name=f"stored_files/{uuid4()}",
            content_type="text/plain",
            file_size_bytes=len(data),
            checksum_sha256=hashlib.sha256(data).hexdigest(),
        )
        dev.objects.put(dev.settings.get_bucket_name(file.bucket), file.object_name, io.BytesIO(data), len(data))
        document = RagDocument(
            id=uuid4(),
            file_id=file.id,
            title=f"bench {number}",
            collection=base,
            vector_version=uuid4(),
            point_count=POINTS,
            embedding=services.embedder.name,
            is_promotable=approved,
            promotion_status="approved" if approved else "draft",
        )
        texts = [f"{number} {chunk} {document.id}" for chunk in range(POINTS)]
        vectors = services.embedder.embed(texts)
        points += [
            Point(
                id_,
                vectors[chunk],
                {
                    "document_id": str(document.id),
                    "version": str(document.vector_version),
                    "chunk": chunk,
                    "environment": "dev",
                    "text": texts[chunk],
                },
            )
            for chunk, id_ in enumerate(point_ids(document.vector_version, POINTS))
        ]
        files.append(file)
        documents.append(document)
    dev.vectors.upsert(dev.settings.get_collection_name(base), points)
    with dev.database.begin() as session:
        session.add_all(files)
        session.flush()
        session.add_all(documents)
    return [document.id for document in documents]


if __name__ == "__main__":
    sys.exit(main())
