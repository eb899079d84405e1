"""How a promotion grows: 1,000 and 100,000 items, each in a process of its own; time for an item, and memory."""

import json
import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any
from uuid import UUID

from sqlalchemy import text

from benchmarks.documents import approved
from benchmarks.memory import most_memory
from benchmarks.ratios import Ratio, ratio
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.settings import Settings, load

FEW, MANY = 1_000, 100_000
MOST_MEMORY = 400 * 1024
"""KiB."""
KIND = "user_storage_quotas"
"""A type of rows alone: what grows is planning, holding, publishing and marking."""
SEED_USERS = """
    INSERT INTO users (id, environment, email, role)
    SELECT md5('user' || n)::uuid, :environment, 'bench' || n || '@example.org', 'user'
    FROM generate_series(1, :count) n
"""
SEED_QUOTAS = """
    INSERT INTO user_storage_quotas (id, environment, user_id, max_bytes, max_files, is_promotable, promotion_status)
    SELECT gen_random_uuid(), 'dev', md5('user' || n)::uuid, n, n, true, 'approved' FROM generate_series(1, :count) n
"""


def measure(settings: Settings, _rounds: int) -> Iterator[Ratio]:
    """The ratios; small first, and everything emptied between."""
    found = {}
    for count in (FEW, MANY):
        with open_services(settings) as services:
            _seed(services, count)
        run = subprocess.run([sys.executable, "-m", "benchmarks.growth"], check=True, capture_output=True, text=True)
        found[count] = json.loads(run.stdout) | {"count": count}
    few, many = found[FEW], found[MANY]
    each = {count: (run["plan"] + run["execute"]) / count for count, run in found.items()}
    yield ratio(f"time for an item, {MANY} items against {FEW}", 1 / 1.2, each[MANY], each[FEW])
    yield ratio(f"memory, {MANY} items against {FEW}", 1 / 1.2, many["memory"], few["memory"])
    yield ratio(f"memory of {MANY} items, against 400 MiB", 1.0, many["memory"], MOST_MEMORY)
    yield ratio(f"planning {MANY} items, against COPY of the same rows", 1 / 3, many["plan"], many["copy"])


def _seed(services: Services, count: int) -> None:
    for name in ("dev", "stage"):
        with services.environments[name].database.begin() as session:
            session.execute(text("DELETE FROM user_storage_quotas"))
            session.execute(text("DELETE FROM users"))
            session.execute(text(SEED_USERS), {"environment": name, "count": count})
    with services.environments["dev"].database.begin() as session:
        session.execute(text(SEED_QUOTAS), {"count": count})


def promoted(services: Services) -> dict[str, Any]:
    """Plan and execute everything that is approved; seconds of each, and the process's most memory in KiB."""
    began = perf_counter()
    promotion: UUID = approved(services, KIND, "dev", "stage", None)
    planned = perf_counter()
    services.promotions.execute(promotion, run_id="bench")
    ended = perf_counter()
    memory = most_memory()
    with services.environments["dev"].database.engine.connect() as connection:
        began_copy = perf_counter()
        cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
        with cursor.copy(f"COPY {KIND} TO STDOUT (FORMAT BINARY)") as rows:
            for _ in rows:
                pass
        copied = perf_counter() - began_copy
    return {"plan": planned - began, "execute": ended - planned, "memory": memory, "copy": copied}


if __name__ == "__main__":
    with open_services(load()) as opened:
        print(json.dumps(promoted(opened)))
