"""Taking approvals back, and freezes, through the command line."""

import pytest

from tests.cli.conftest import Wisqu
from tests.promotion.gate import planned
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.promotion.freezes import FreezeService

DANA = ("--as", "dana@demo.wisqu.com")
AMAL = ("--as", "amal@demo.wisqu.com")


def test_an_approval_is_taken_back(wisqu: Wisqu, services: Services) -> None:
    promotion = planned(World(services))
    assert wisqu("approvals", "grant", promotion, *AMAL).code == 0
    assert wisqu("approvals", "revoke", promotion, *AMAL).code == 2, "a reason is needed"
    back = wisqu("approvals", "revoke", promotion, *AMAL, "--reason", "read it again")
    assert back.code == 0
    assert f"{promotion} is planned" in back.out
    assert "0 of 1" in wisqu("approvals", "list").out
    again = wisqu("approvals", "grant", promotion, *AMAL)
    assert again.code == 2
    assert "taken it back" in again.err


def test_a_freeze_from_adding_to_ending(wisqu: Wisqu, services: Services) -> None:
    promotion = planned(World(services))
    wisqu("approvals", "grant", promotion, *AMAL)
    made = wisqu(
        "freeze", "add", "dev->stage", "--from", "2020-01-01T00:00", "--until", "2099-01-01T00:00",
        "--time-zone", "Europe/Berlin", "--reason", "a long winter", *AMAL,
    )  # fmt: skip
    assert made.code == 0, made.err
    every = wisqu(
        "freeze", "add", "stage->prod", "--cron", "0 18 * * FRI", "--hours", 62, "--reason", "weekends", *AMAL
    )
    assert every.code == 0, every.err
    listed = wisqu("freeze", "list", "--json").json
    assert [each["path"] for each in listed["freezes"]] == ["dev->stage", "stage->prod"]
    freeze = listed["freezes"][0]["freeze_id"]
    assert freeze in wisqu("freeze", "list", "dev->stage").out
    frozen = wisqu("promote", "execute", promotion, *AMAL)
    assert frozen.code == 2
    assert "frozen until 2099-01-01 00:00 CET (a long winter" in frozen.err
    assert "second person" in wisqu("freeze", "override", promotion, "--reason", "urgent", *AMAL).out
    assert wisqu("freeze", "override", promotion, "--reason", "me again", *AMAL).code == 2
    confirmed = wisqu("freeze", "override", promotion, "--reason", "yes", *DANA, "--json").json
    assert confirmed == {"done": "confirmed", "promotion_id": str(promotion)}
    assert wisqu("promote", "execute", promotion, *AMAL).code == 0
    assert wisqu("freeze", "end", freeze, "--reason", "spring", *AMAL).code == 0
    assert len(wisqu("freeze", "list", "--json").json["freezes"]) == 1
    assert len(wisqu("freeze", "list", "--all", "--json").json["freezes"]) == 2


def test_a_hold_is_shown_and_released(wisqu: Wisqu, services: Services) -> None:
    promotion = planned(World(services))
    with services.control.begin() as session:
        FreezeService.hold(session, "dev->stage", promotion, "two points differ", services.clock.now())
    assert "two points differ" in wisqu("freeze", "list").out
    released = wisqu("freeze", "release", "dev->stage", "--reason", "looked at it", *AMAL, "--json").json
    assert released == {"done": "released", "path": "dev->stage", "promotion_ids": [str(promotion)]}
    assert wisqu("freeze", "list", "--json").json["holds"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--from", "2026-01-01T00:00"),
        ("--cron", "0 0 * * *"),
        ("--cron", "0 0 * * *", "--until", "2026-01-01T00:00"),
    ],
)
def test_a_freeze_needs_both_of_its_times(wisqu: Wisqu, arguments: tuple[str, ...]) -> None:
    refused = wisqu("freeze", "add", "dev->stage", "--reason", "why", *AMAL, *arguments)
    assert refused.code == 2
    assert "--from and --until, or --cron and --hours" in refused.err


def test_a_plan_with_nothing_to_do_is_not_shown_as_waiting(wisqu: Wisqu, services: Services) -> None:
    made = wisqu("promote", "preview", "rag_documents", "dev", "stage", *DANA)
    assert "There is nothing to promote" in made.out
    for shown in (wisqu("promote", "list"), wisqu("promote", "status", services.promotions.list()[0].promotion_id)):
        assert "nothing to do" in shown.out
