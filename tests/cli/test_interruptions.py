"""Ctrl-C and kill -9 of `wisqu promote …`: what the target then is, and how it goes on."""

import signal
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from tests.cli.conftest import Wisqu
from tests.cli.processes import wisqu_process
from tests.fixtures.held import REMOVING, REVEALING, SECONDS, STAGING, held_at
from tests.promotion.gate import state
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.identity.demo_people import DEVELOPER
from wisqu_pipelines.promotion.models import Promotion, PromotionState

DANA = ("--as", DEVELOPER)


@pytest.fixture
def world(services: Services) -> World:
    return World(services)


@pytest.fixture
def promotion(world: World) -> UUID:
    """An approved promotion of three documents into stage."""
    for name in ("one.md", "two.md", "three.md"):
        world.document(name, name)
    planned = world.services.promotions.preview_promotion(
        "rag_documents", "dev", "stage", requested_by_user_id=world.person()
    )
    world.services.approvals.grant(planned.promotion_id, DEVELOPER)
    return planned.promotion_id


def end_lease(world: World, promotion: UUID) -> None:
    """As if a minute had passed without a sign of life."""
    over = world.services.clock.now() - timedelta(seconds=1)
    with world.services.control.begin() as session:
        session.execute(update(Promotion).where(Promotion.id == promotion).values(lease_until=over))


def statuses(world: World) -> set[str]:
    return {row["promotion_status"] for row in world.state("dev")["rows"]["rag_documents"].values()}


def test_killed_while_staging_it_waits_for_the_lease_and_is_resumed(
    wisqu: Wisqu, world: World, promotion: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        held_at(monkeypatch, world.services.settings, "stage", STAGING) as held,
        wisqu_process("promote", "execute", promotion, *DANA) as process,
    ):
        held.wait()
        process.kill()
        assert process.wait(SECONDS) == -signal.SIGKILL
        held.lose()
    assert not world.state("stage")["rows"]["rag_documents"]
    assert world.visible_points("stage") == 0
    for act in ("execute", "resume"):
        early = wisqu("promote", act, promotion, *DANA)
        assert early.code == 2
        assert "is at it (state executing)" in early.err
    end_lease(world, promotion)
    done = wisqu("promote", "resume", promotion, *DANA, "--json").json
    assert (done["state"], done["success_count"], done["verification"]["outcome"]) == ("succeeded", 6, "passed")
    assert world.visible_points("stage") == 9
    assert len(world.state("stage")["objects"]) == 3, "the first run's copies are not there twice"
    assert len(world.state("stage")["points"]) == 9
    assert wisqu("storage", "audit", "stage").code == 0, "nothing is left over"


def test_ctrl_c_while_staging_leaves_nothing_and_it_can_be_executed_again(
    wisqu: Wisqu, world: World, promotion: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.state("stage")
    with (
        held_at(monkeypatch, world.services.settings, "stage", STAGING) as held,
        wisqu_process("promote", "execute", promotion, *DANA) as process,
    ):
        held.wait()
        process.send_signal(signal.SIGINT)
        held.let_go()
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    assert "stopped: Nothing became visible in stage" in " ".join(err.split())
    assert f"wisqu promote execute {promotion}" in err
    assert state(world, promotion) == PromotionState.FAILED
    assert "its run was stopped" in wisqu("promote", "status", promotion).out
    assert world.state("stage") == before
    assert statuses(world) == {"approved"}
    again = wisqu("promote", "execute", promotion, *DANA)
    assert again.code == 0, again.err
    assert world.visible_points("stage") == 9


def test_ctrl_c_after_the_commit_point_is_finished_by_the_next(
    wisqu: Wisqu, world: World, promotion: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        held_at(monkeypatch, world.services.settings, "stage", REVEALING) as held,
        wisqu_process("promote", "execute", promotion, *DANA) as process,
    ):
        held.wait()
        process.send_signal(signal.SIGINT)
        held.let_go()
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert f"wisqu promote resume {promotion}" in err
    assert state(world, promotion) == PromotionState.PUBLISHED
    assert len(world.state("stage")["rows"]["rag_documents"]) == 3
    done = wisqu("promote", "resume", promotion, *DANA, "--json").json
    assert (done["state"], done["success_count"]) == ("succeeded", 6)
    assert world.visible_points("stage") == 9
    assert statuses(world) == {"promoted"}
    late = wisqu("promote", "resume", promotion, *DANA)
    assert late.code == 2
    assert "it has succeeded" in late.err


def test_a_rollback_that_was_killed_is_resumed(
    wisqu: Wisqu, world: World, promotion: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.state("stage")
    assert wisqu("promote", "execute", promotion, *DANA).code == 0
    with (
        held_at(monkeypatch, world.services.settings, "stage", REMOVING) as held,
        wisqu_process("promote", "rollback", promotion, *DANA, "--reason", "too early") as process,
    ):
        held.wait()
        process.kill()
        process.wait(SECONDS)
        held.lose()
    assert not world.state("stage")["rows"]["rag_documents"], "rows go first"
    end_lease(world, promotion)
    done = wisqu("promote", "resume", promotion, *DANA, "--json").json
    assert done["state"] == "rolled_back"
    assert world.state("stage") == before
    assert statuses(world) == {"approved"}
