"""Those who may decide are asked, once, about what waits for them."""

import pytest

from tests.retention.conftest import OLD, Rows
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import Conversation
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN
from wisqu_pipelines.notifications.events import Event

WHY = "after the spring release"


@pytest.fixture
def prod(services: Services) -> Rows:
    return Rows(services, "prod")


def test_a_sweep_that_waits(services: Services, prod: Rows) -> None:
    asking = services.asking
    assert asking.for_sweeps(prod.retention, "prod") == 0
    prod.document(OLD)
    sweep = prod.retention.run(person=ADMIN, reason=WHY).sweep
    assert asking.for_sweeps(prod.retention, "prod") == 1
    assert asking.for_sweeps(prod.retention, "prod") == 0
    (told,) = services.notifications.list()
    assert (told.event, told.address, told.title) == (
        Event.SWEEP_WANTED,
        SUPERADMIN,
        "A sweep waits for a yes in prod",
    ), "not whoever asked for it"
    page, command = f"/approvals/sweeps/prod/{sweep.sweep_id}", f"wisqu cleanup approve {sweep.sweep_id}"
    for said in (ADMIN, WHY, page, command, f"Rows: {sweep.rows}\n"):
        assert said in told.body


def test_a_sweep_that_is_decided_asks_nobody(services: Services, prod: Rows) -> None:
    prod.document(OLD)
    sweep = prod.retention.run(person=ADMIN, reason=WHY).sweep.sweep_id
    assert sweep is not None
    prod.retention.reject(sweep, SUPERADMIN, "these are still wanted")
    assert services.asking.for_sweeps(prod.retention, "prod") == 0


def test_an_erasure_that_waits(services: Services, prod: Rows) -> None:
    conversation = prod.conversation()
    with prod.environment.database.begin() as session:
        user = session.get_one(Conversation, conversation).user_id
    erasure = services.erasures.request("prod", user, SUPERADMIN, "the request of case 4711").id
    assert services.asking.for_erasures(services.erasures) == 1
    assert services.asking.for_erasures(services.erasures) == 0
    (told,) = services.notifications.list()
    assert (told.event, told.address) == (Event.ERASURE_WANTED, ADMIN)
    for said in ("the request of case 4711", f"/approvals/erasures/{erasure}", f"wisqu erasure approve {erasure}"):
        assert said in told.body
    assert str(user) not in told.body, "a message names nobody who wants to be forgotten"
