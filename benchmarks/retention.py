"""Retention: purging documents with their files and vectors, against a loop and against its own slowest leg; marking
and hiding rows, against a loop; how long a writer waits meanwhile; and memory.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from threading import Event, Thread
from time import perf_counter
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from benchmarks.documents import make
from benchmarks.memory import most_memory
from benchmarks.ratios import Ratio, ratio
from benchmarks.rivals import purges as rivals
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.retention.models import Sweep
from wisqu_pipelines.settings import Settings, load

ITEMS, OF_THE_LOOP, AT_ONCE = 20_000, 1_000, 2_000
"""Documents that are purged, those of them that the loop gets (it takes too long for all), and those made at once."""
ROWS, BESIDE = 200_000, 50_000
"""Rows that are hidden, and those that are while somebody writes."""
FEW, MANY = 1_000, 100_000
LONGEST_WAIT = 0.2
"""Seconds that a writer may have to wait."""
PAGE = 500
_SEED_FILES = """
    INSERT INTO stored_files (id, environment, filename, bucket, object_name, content_type, file_size_bytes, created_at,
        is_test_data, test_data_reason)
    SELECT gen_random_uuid(), 'dev', 'bench/' || n, :bucket, 'bench/' || gen_random_uuid(), 'text/plain', 1,
        now() - interval '30 days', true, 'a benchmark' FROM generate_series(1, :count) n
"""


def measure(settings: Settings, rounds: int) -> Iterator[Ratio]:
    """The ratios, on the embedded stack, in dev."""
    with open_services(settings) as services:
        yield from _purging(services, rounds)
        yield from _hiding(services, rounds)
        yield _writing_beside(services)
    memory = {}
    for count in (FEW, MANY):
        with open_services(settings) as services:
            _only(services, count)
        run = subprocess.run([sys.executable, "-m", "benchmarks.retention"], check=True, capture_output=True, text=True)
        memory[count] = json.loads(run.stdout)
    yield ratio(f"memory of hiding and purging {MANY} rows, against {FEW}", 1 / 1.2, memory[MANY], memory[FEW])


def _purging(services: Services, rounds: int) -> Iterator[Ratio]:
    ours: list[float] = []
    loop: list[float] = []
    legs: dict[str, list[float]] = {"rows": [], "files": [], "vectors": []}
    for _ in range(rounds):
        _old(services, ITEMS)
        _hide(services)
        _let_purge(services)
        ours.append(_seconds(lambda: services.retention("dev").go_on()))
        ids = _old(services, ITEMS)
        for name, leg in {"files": _files, "vectors": _vectors, "rows": _rows}.items():
            legs[name].append(_seconds(leg(services, ids)))
        ids = _old(services, OF_THE_LOOP)
        with Session(services.environments["dev"].database.engine) as session:
            settings = services.settings.environment("dev")
            loop.append(_seconds(lambda: rivals.purge(settings, ids, session)) * ITEMS / OF_THE_LOOP)  # noqa: B023
    mine = statistics.median(ours)
    yield ratio(
        f"purging {ITEMS} documents, against a loop ({OF_THE_LOOP} of them)", 10.0, mine, statistics.median(loop)
    )
    medians = {name: statistics.median(found) for name, found in legs.items()}
    slowest = max(medians, key=lambda name: medians[name])
    yield ratio(f"purging {ITEMS} documents, against their {slowest} alone", 1 / 1.3, mine, medians[slowest])


def _hiding(services: Services, rounds: int) -> Iterator[Ratio]:
    ours: list[float] = []
    loop: list[float] = []
    for _ in range(rounds):
        _only(services, ROWS)
        ours.append(_seconds(lambda: _hide(services)))
        _only(services, ROWS)
        now = services.clock.now()
        with Session(services.environments["dev"].database.engine) as session:
            loop.append(_seconds(lambda: rivals.hide(now - timedelta(days=7), now, session)))  # noqa: B023
    yield ratio(
        f"marking and hiding {ROWS} rows, against a loop", 5.0, statistics.median(ours), statistics.median(loop)
    )


def _writing_beside(services: Services) -> Ratio:
    """How long somebody waits who writes into single rows while they are marked and hidden: all but one of a thousand
    writes, because a disk that is busy stops one now and then, whoever holds locks.
    """
    _only(services, BESIDE)
    database = services.environments["dev"].database
    with database.begin() as session:
        ids = session.scalars(select(StoredFile.id).order_by(StoredFile.id).limit(BESIDE)).all()
    waits: list[float] = []
    is_over = Event()

    def write() -> None:
        number = 0
        while not is_over.is_set():
            number += 7919
            chosen = update(StoredFile).where(StoredFile.id == ids[number % len(ids)])
            began = perf_counter()
            with database.begin() as session:
                session.execute(chosen.values(content_type="text/markdown"))
            waits.append(perf_counter() - began)

    writer = Thread(target=write)
    writer.start()
    while not waits:  # the first write opens a connection
        is_over.wait(0.01)
    waits.clear()
    try:
        _hide(services)
    finally:
        is_over.set()
        writer.join()
    name = (
        f"the longest of {len(waits)} writes beside the hiding of {BESIDE} rows, against {LONGEST_WAIT * 1000:.0f} ms"
    )
    return ratio(name, 1.0, max(waits), LONGEST_WAIT)


def _old(services: Services, count: int) -> list[UUID]:
    """Fresh documents that are old test data, and nothing else; returns their ids."""
    _only(services, 0)
    ids = [id_ for start in range(0, count, AT_ONCE) for id_ in make(services, min(AT_ONCE, count - start))]
    ages: dict[str, Any] = {"created_at": services.clock.now() - timedelta(days=30), "is_test_data": True}
    with services.environments["dev"].database.begin() as session:
        for model in (RagDocument, StoredFile):
            session.execute(update(model).values(promotion_status="draft", is_promotable=False, **ages))
    return ids


def _only(services: Services, files: int) -> None:
    """So many old rows of files, without objects, and nothing else; nothing of what was there before is left to be
    cleaned away while somebody measures.
    """
    settings = services.settings.environment("dev")
    tables = ("rag_documents", "stored_files", "retention_items", "retention_sweeps")
    with closing(Database(settings.database, environment=settings, owner=True)) as owner:
        with owner.begin() as session:
            for table in tables:
                session.execute(text(f"DELETE FROM {table}"))  # noqa: S608
            session.execute(text(_SEED_FILES), {"count": files, "bucket": services.settings.default_bucket})
        with owner.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"VACUUM ANALYZE {', '.join(tables)}"))


def _hide(services: Services) -> None:
    done = services.retention("dev").run(
        test_data_only=True, person=demo_people.DEVELOPER, reason="to measure how long it takes", force=True
    )
    assert done.sweep.hidden


def _let_purge(services: Services) -> None:
    with services.environments["dev"].database.begin() as session:
        session.execute(update(Sweep).values(purge_after=services.clock.now()))


def _files(services: Services, _ids: Sequence[UUID]) -> Callable[[], object]:
    dev = services.environments["dev"]
    with dev.database.begin() as session:
        names = session.scalars(select(StoredFile.object_name)).all()
    bucket = dev.settings.get_bucket_name(services.settings.default_bucket)

    def remove() -> None:
        for at in range(0, len(names), PAGE):
            dev.objects.delete(bucket, names[at : at + PAGE])

    return remove


def _vectors(services: Services, _ids: Sequence[UUID]) -> Callable[[], object]:
    dev = services.environments["dev"]
    with dev.database.begin() as session:
        versions = session.execute(select(RagDocument.vector_version, RagDocument.point_count)).all()
    collection = dev.settings.get_collection_name(services.settings.default_collection)

    def remove() -> None:
        for at in range(0, len(versions), PAGE):
            page = versions[at : at + PAGE]
            dev.vectors.delete(collection, [each for version, count in page for each in point_ids(version, count)])

    return remove


def _rows(services: Services, ids: Sequence[UUID]) -> Callable[[], object]:
    def remove() -> None:
        for at in range(0, len(ids), PAGE):
            with services.environments["dev"].database.begin() as session:
                gone = delete(RagDocument).where(among(RagDocument.id, ids[at : at + PAGE]))
                files = session.scalars(gone.returning(RagDocument.file_id)).all()
                session.execute(delete(StoredFile).where(among(StoredFile.id, files)))

    return remove


def _seconds(act: Callable[[], object]) -> float:
    began = perf_counter()
    act()
    return perf_counter() - began


if __name__ == "__main__":
    with open_services(load()) as opened:
        _hide(opened)
        _let_purge(opened)
        opened.retention("dev").go_on()
    print(json.dumps(most_memory()))
