"""`wisqu audit …`: what it prints, and how it exits."""

import pytest

from tests.cli.conftest import Wisqu
from tests.fixtures.restoring import backup
from tests.fixtures.stack import Stack
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services

AMAL = ("--as", "amal@demo.wisqu.com", "--reason", "From the backup of Sunday night")
SORAYA = ("--as", "soraya@demo.wisqu.com", "--reason", "I saw it fail, ticket 4711")


def test_a_restore_from_the_finding_to_the_list(wisqu: Wisqu, stack: Stack, services: Services) -> None:
    world = World(services)
    assert wisqu("audit", "restores", "--json").json == []
    before = backup(stack, services.settings.environments["stage"].database.name)
    try:
        promotion = world.promote(world.document()).promotion_id
        before.restore()
    finally:
        before.forget()
    found = wisqu("audit", "verify", "stage")
    assert found.code == 1
    assert "environment_promotions 1: row 1 is cut off, by what the checkpoint of" in found.out
    assert "wisqu audit restored stage --as PERSON --reason WHY" in found.out
    assert "wisqu audit restored" not in wisqu("audit", "verify", "prod").out

    told = wisqu("audit", "restored", "stage", *AMAL)
    assert told.code == 0, told.err
    assert f"stage no longer has what promotion {promotion} brought." in told.out
    (made,) = wisqu("audit", "restores", "stage", "--json").json
    assert f"wisqu audit confirm-restore {made['id']} --as PERSON" in told.out
    alone = wisqu("audit", "confirm-restore", made["id"], *AMAL)
    assert (alone.code, "second person" in alone.err) == (2, True)
    confirmed = wisqu("audit", "confirm-restore", made["id"], *SORAYA)
    assert (confirmed.code, "stage was restored" in confirmed.out) == (0, True)

    verified = wisqu("audit", "verify")
    assert verified.code == 0
    assert "stage lost rows by 1 restore that two people have acknowledged: wisqu audit restores stage" in verified.out
    assert wisqu("audit", "verify", "stage", "--json").json["reports"][0]["restores"] == [made["id"]]
    assert "environment_promotions 1 │" in " ".join(wisqu("audit", "restores").out.split())


def test_a_database_that_is_away_is_named_beside_those_that_hold(
    wisqu: Wisqu, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    del services
    monkeypatch.setenv("WISQU_ENVIRONMENTS__STAGE__DATABASE__PORT", "1")
    found = wisqu("audit", "verify")
    assert found.code == 1
    assert "stage could not be read: The database" in found.out
    assert "environment_access_log" in found.out, "the control database was read after it"
    assert "wisqu audit restored" not in found.out
    assert wisqu("audit", "verify", "moon").code == 2
