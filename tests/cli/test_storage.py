"""`wisqu storage audit`: what it prints, what it asks for, and how it exits."""

import io
import json
from datetime import timedelta

from sqlalchemy import update

from tests.cli.conftest import Wisqu
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import StorageOrphan

DANA = ("--as", "dana@demo.wisqu.com")
ORPHANS = 60


def test_an_audit_and_a_repair(wisqu: Wisqu, services: Services) -> None:
    clean = wisqu("storage", "audit", "dev")
    assert clean.code == 0, clean.err
    assert "Storage of dev" in clean.out
    dev = services.environments["dev"]
    bucket = dev.settings.get_bucket_name(services.settings.default_bucket)
    for number in range(ORPHANS):
        dev.objects.put(bucket, f"lost/{number:02}", io.BytesIO(b"x" * 1_000), 1_000)
    shown = wisqu("storage", "audit", "dev")
    assert shown.code == 1, "something does not belong together"
    assert "60 (60.0 kB)" in shown.out
    assert "lost/00" in shown.out
    assert "and 35 more" in shown.out
    everything = wisqu("storage", "audit", "dev", "--json")
    assert everything.code == 1
    told = json.loads(everything.out)
    assert not told["is_clean"]
    assert len(told["findings"]) == told["stores"][0]["orphans"]["count"] == ORPHANS
    for arguments, words in (
        (("--reason", "x"), "--as PERSON"),
        (DANA, "the reason"),
        (("--as", "eve@example.org", "--reason", "x"), "no active person"),
    ):
        refused = wisqu("storage", "audit", "dev", "--repair", *arguments)
        assert refused.code == 2
        assert words in refused.err
    early = wisqu("storage", "audit", "dev", "--repair", *DANA, "--reason", "tidying up")
    assert early.code == 1, "they are not old enough, and so they stay"
    with dev.database.begin() as session:
        older = StorageOrphan.first_seen_at - timedelta(hours=169)
        session.execute(update(StorageOrphan).values(first_seen_at=older))
    done = wisqu("storage", "audit", "dev", "--repair", *DANA, "--reason", "tidying up", "--json")
    assert done.code == 0, done.err
    assert done.json["stores"][0]["swept"] == {"count": ORPHANS, "bytes": 60_000, "points": 0}
    assert wisqu("audit", "verify", "dev").code == 0
    assert wisqu("storage", "audit", "moon").code == 2
