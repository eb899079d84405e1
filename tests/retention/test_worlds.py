"""Many random worlds against a simple model: nothing that must stay is ever marked, and what is due is."""

import random
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, insert, select, update

from tests.retention.conftest import Rows
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.holds.models import LegalHold
from wisqu_pipelines.retention.models import SweepItem

SEED = 20260504
WORLDS = 10_000
"""Each a document with its file, of any age and state, held or not; those of one batch are swept together."""
BATCH = 1_000
STATUSES = ("draft", "draft", "draft", "approved", "promoting", "promoted", "deprecated")


def world(draw: random.Random, rows: Rows) -> dict[str, Any]:
    """A document and its file, and which of the two are held."""
    ages = [draw.choice((draw.uniform(0, 20), draw.uniform(20, 40), draw.uniform(40, 500))) for _ in range(2)]
    return {
        "document": uuid4(),
        "file": uuid4(),
        "days": [age if abs(age - round(age)) > 0.01 else age + 0.1 for age in ages],
        "test": [draw.random() < 0.3 for _ in range(2)],
        "status": [draw.choice(STATUSES) for _ in range(2)],
        "came": [draw.random() < 0.1 for _ in range(2)],
        "deleted": [draw.random() < 0.1, False],
        "held": [draw.random() < 0.1, draw.random() < 0.1],
        "name": rows.name,
    }


def goes(each: dict[str, Any], number: int, days: int, test_days: int, *, only_tests: bool) -> bool:
    """Whether the document (0) or the file (1) of a world is due by itself and may go."""
    old = each["days"][number] > days and not only_tests
    is_test = each["test"][number] and each["days"][number] > test_days
    held = each["held"][1] or (number == 0 and each["held"][0])
    bound = each["status"][number] in {"approved", "promoting", "promoted"} or each["came"][number]
    return (old or is_test) and not held and not bound and not each["deleted"][number]


def made(rows: Rows, worlds: list[dict[str, Any]]) -> None:
    def common(each: dict[str, Any], number: int) -> dict[str, Any]:
        return {
            "environment": rows.name,
            "created_at": rows.ago(each["days"][number]),
            "is_test_data": each["test"][number],
            "promotion_status": each["status"][number],
            "source_id": uuid4() if each["came"][number] else None,
            "source_environment": "elsewhere" if each["came"][number] else None,
            "is_deleted": each["deleted"][number],
        }

    files = [
        common(each, 1)
        | {"id": each["file"], "filename": "f.md", "bucket": "b", "object_name": str(each["file"])}
        | {"content_type": "text/plain", "file_size_bytes": 1}
        for each in worlds
    ]
    documents = [
        common(each, 0)
        | {"id": each["document"], "file_id": each["file"], "title": "d", "collection": "c", "embedding": "test"}
        | {"vector_version": uuid4(), "point_count": 1}
        for each in worlds
    ]
    holds = [
        {"item_type": kind, "item_id": each[name], "reason": "a case", "placed_by": uuid4(), "placed_at": rows.ago(0)}
        for each in worlds
        for number, (kind, name) in enumerate((("rag_documents", "document"), ("stored_files", "file")))
        if each["held"][number]
    ]
    with rows.environment.database.begin() as session:
        session.execute(insert(StoredFile), files)
        session.execute(insert(RagDocument), documents)
        session.execute(insert(LegalHold), holds)


def test_what_must_stay_is_never_marked_and_what_is_due_is(services: Services) -> None:
    draw = random.Random(SEED)  # noqa: S311 - makes test cases
    for batch in range(WORLDS // BATCH):
        rows = Rows(services, "dev" if batch % 2 else "stage")
        policy = rows.environment.settings.retention
        only_tests = draw.random() < 0.3
        worlds = [world(draw, rows) for _ in range(BATCH)]
        made(rows, worlds)
        told = rows.retention.foretell(test_data_only=only_tests)
        wanted = set()
        for each in worlds:
            first, second = (
                goes(each, number, policy.days, policy.test_data_days, only_tests=only_tests) for number in range(2)
            )
            if first:
                wanted.add(("rag_documents", each["document"]))
            if second and first:
                wanted.add(("stored_files", each["file"]))
        report = rows.retention.run(
            person="amal@demo.wisqu.com", reason="A random world of a test", force=True, test_data_only=only_tests
        ).sweep
        with rows.environment.database.begin() as session:
            marked = select(SweepItem.item_type, SweepItem.item_id).where(SweepItem.sweep_id == report.sweep_id)
            found = {(kind, id_) for kind, id_ in session.execute(marked)}
        assert found == wanted, f"seed {SEED}, batch {batch}"
        assert (told.rows, told.digest) == (report.rows, report.digest)
        assert report.hidden == len(wanted)
        with rows.environment.database.begin() as session:
            session.execute(update(LegalHold).values(released_at=rows.ago(0)))
            for model in (RagDocument, StoredFile):
                session.execute(delete(model))
