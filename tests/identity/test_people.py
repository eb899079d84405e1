"""Who gives which role to whom, access for a time, and the matrix, cell by cell."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import event, text, update
from sqlalchemy.exc import IntegrityError

from wisqu_pipelines.audit.verification import verify_control
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.errors import BadInput, GrantNotFound, GrantRefused, NotPermitted, PersonExists, UnknownPerson
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN, TESTER
from wisqu_pipelines.identity.matrix import AccessMatrix
from wisqu_pipelines.identity.models import AccessGrant, CentralUser
from wisqu_pipelines.ports.clock import SystemClock
from wisqu_pipelines.settings import Settings
from wisqu_pipelines.storage.memory import ManualClock

REASON = "Looking into issue 4711"
EVE = "eve@example.org"
PASSWORD = "correct horse battery staple"
EVERYWHERE = ("dev", "stage", "prod")
MATRIX = {
    # role: where it enters, where it makes test accounts, where it says why
    "user": (("prod",), (), ()),
    "tester": (("stage",), (), ()),
    "developer": (EVERYWHERE, ("stage", "prod"), ("stage", "prod")),
    "admin": (EVERYWHERE, EVERYWHERE, ("prod",)),
    "superadmin": (EVERYWHERE, EVERYWHERE, ("prod",)),
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(SystemClock().now())


@pytest.fixture
def moved(settings: Settings, services: Services, clock: ManualClock) -> Iterator[Services]:
    """The services at a time that tests move."""
    del services  # they have set the world up
    with open_services(settings, clock) as opened:
        yield opened


@pytest.fixture
def eve(services: Services) -> str:
    services.people.create(EVE, "Eve", None, SUPERADMIN, REASON)
    return EVE


def role(services: Services, email: str, environment: str) -> str | None:
    with services.control.begin() as session:
        return people.find(session, email).role_in(environment, services.clock.now())


@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize("environment", EVERYWHERE)
def test_the_matrix_is_the_missions(settings: Settings, name: str, environment: str) -> None:
    matrix = AccessMatrix(settings)
    enters, makes, says = MATRIX[name]
    assert matrix.may_enter(name, environment) == (environment in enters)
    assert matrix.makes_test_accounts(name, environment) == (environment in makes)
    assert matrix.needs_reason(name, environment) == (environment in says)
    assert set(matrix.roles) == set(MATRIX)


@pytest.mark.parametrize("giver", [None, *MATRIX])
@pytest.mark.parametrize("given", MATRIX)
def test_admins_give_up_to_developer_and_superadmins_everything(settings: Settings, giver: str, given: str) -> None:
    allowed = giver == "superadmin" or (giver == "admin" and given in {"user", "tester", "developer"})
    assert AccessMatrix(settings).may_give(giver, given) == allowed


def test_a_thousand_questions_cost_no_query(services: Services) -> None:
    matrix = AccessMatrix(services.settings)
    with services.control.begin() as session:
        person = people.find(session, DEVELOPER)
    asked: list[str] = []
    event.listen(services.control.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    now = services.clock.now()
    answers = [matrix.entry(person, each, person.role_in(each, now)) for _ in range(334) for each in EVERYWHERE]
    assert len(answers) >= 1_000
    assert all(each is not None and each.role == "developer" for each in answers)
    assert asked == []


def test_the_first_superadmin_is_made_once(services: Services) -> None:
    with pytest.raises(NotPermitted, match="there is one already"):
        services.people.bootstrap("root@example.org", None, PASSWORD)
    with services.control.begin() as session:
        session.execute(update(CentralUser).values(is_active=False))

    def make(number: int) -> bool:
        try:
            services.people.bootstrap(f"root{number}@example.org", None, PASSWORD)
        except NotPermitted:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == 1


def test_roles_are_given_taken_and_written_down(services: Services, eve: str) -> None:
    services.people.grant(eve, "stage", "tester", ADMIN, REASON)
    services.people.grant(eve, "prod", "developer", ADMIN, REASON)
    assert (role(services, eve, "stage"), role(services, eve, "prod"), role(services, eve, "dev")) == (
        "tester",
        "developer",
        None,
    )
    services.people.revoke(eve, "stage", ADMIN, REASON)
    assert role(services, eve, "stage") is None
    services.people.disable(eve, SUPERADMIN, REASON)
    with pytest.raises(UnknownPerson):
        role(services, eve, "prod")
    services.people.enable(eve, SUPERADMIN, REASON)
    assert role(services, eve, "prod") == "developer"
    assert verify_control(services.control).holds


@pytest.mark.parametrize(
    ("by", "environment", "wanted", "error"),
    [
        (ADMIN, "prod", "admin", NotPermitted),
        (ADMIN, "prod", "superadmin", NotPermitted),
        (DEVELOPER, "prod", "user", NotPermitted),
        (EVE, "stage", "tester", NotPermitted),
        (SUPERADMIN, "prod", "tester", BadInput),
        (SUPERADMIN, "dev", "user", BadInput),
        (SUPERADMIN, "dev", "king", BadInput),
        ("nobody@example.org", "dev", "developer", UnknownPerson),
    ],
)
def test_what_may_not_be_given_is_refused(
    services: Services, eve: str, by: str, environment: str, wanted: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        services.people.grant(eve, environment, wanted, by, REASON)
    assert role(services, eve, environment) is None


def test_nobody_decides_on_their_own_or_above_themselves(services: Services) -> None:
    with pytest.raises(NotPermitted, match="own"):
        services.people.grant(SUPERADMIN, "dev", "developer", SUPERADMIN, REASON)
    for act in (
        lambda: services.people.revoke(SUPERADMIN, "dev", ADMIN, REASON),
        lambda: services.people.grant(SUPERADMIN, "dev", "developer", ADMIN, REASON),
        lambda: services.people.disable(SUPERADMIN, ADMIN, REASON),
        lambda: services.people.set_password(SUPERADMIN, PASSWORD, ADMIN, REASON),
    ):
        with pytest.raises(NotPermitted):
            act()
    assert role(services, SUPERADMIN, "dev") == "superadmin"


@pytest.mark.parametrize(
    "email", ["", "x", "a@b", "a b@example.org", "a@exa mple.org", "a\x00@example.org", f"{'a' * 250}@x.org"]
)
def test_an_address_is_an_address(services: Services, email: str) -> None:
    with pytest.raises(BadInput, match="address"):
        services.people.create(email, None, None, SUPERADMIN, REASON)


def test_an_address_is_one_persons_in_any_case(services: Services, eve: str) -> None:
    with pytest.raises(PersonExists):
        services.people.create(eve.upper(), None, None, SUPERADMIN, REASON)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "eve@example.org", "x" * 2_000])
def test_a_weak_password_is_refused(services: Services, password: str) -> None:
    with pytest.raises(BadInput, match="password") as refused:
        services.people.create(EVE, None, password, SUPERADMIN, REASON)
    assert password not in str(refused.value)


def test_access_for_a_time_ends_by_itself(moved: Services, clock: ManualClock) -> None:
    visit = moved.visits.request(TESTER, "prod", 4, REASON)
    assert role(moved, TESTER, "prod") is None
    until = moved.visits.grant(visit, ADMIN)
    assert until == clock.now() + timedelta(hours=4)
    assert role(moved, TESTER, "prod") == "developer"
    clock.set(until - timedelta(microseconds=1))
    assert role(moved, TESTER, "prod") == "developer"
    clock.set(until)
    assert role(moved, TESTER, "prod") is None
    assert [each.state for each in moved.visits.list("prod")] == ["expired"]
    assert verify_control(moved.control).holds


def test_who_does_not_give_a_role_gets_no_hold_of_those_who_have_it_for_a_time(moved: Services, eve: str) -> None:
    admin_of_dev = "dev-admin@example.org"
    moved.people.create(admin_of_dev, None, None, SUPERADMIN, REASON)
    moved.people.grant(admin_of_dev, "dev", "admin", SUPERADMIN, REASON)
    moved.people.set_password(eve, PASSWORD, admin_of_dev, REASON)
    visit = moved.visits.request(eve, "prod", 4, REASON, "admin")
    moved.visits.grant(visit, SUPERADMIN)
    for act in (
        lambda: moved.people.set_password(eve, PASSWORD, admin_of_dev, REASON),
        lambda: moved.people.disable(eve, admin_of_dev, REASON),
    ):
        with pytest.raises(NotPermitted, match="prod"):
            act()
    moved.people.disable(eve, SUPERADMIN, REASON)
    with pytest.raises(NotPermitted, match="prod"):
        moved.people.enable(eve, admin_of_dev, REASON)
    moved.people.enable(eve, SUPERADMIN, REASON)
    moved.visits.end(visit, SUPERADMIN, REASON)
    moved.people.disable(eve, admin_of_dev, REASON)


def test_access_can_end_before_its_time(moved: Services) -> None:
    visit = moved.visits.request(TESTER, "prod", 4, REASON)
    moved.visits.grant(visit, ADMIN)
    with pytest.raises(NotPermitted):
        moved.visits.end(visit, DEVELOPER, REASON)
    moved.visits.end(visit, TESTER, REASON)
    assert role(moved, TESTER, "prod") is None
    assert len(moved.identity.cutoffs("prod")) == 1
    with pytest.raises(GrantRefused, match="ended"):
        moved.visits.end(visit, ADMIN, REASON)


def test_nobody_lets_themselves_in(services: Services) -> None:
    visit = services.visits.request(TESTER, "dev", 4, REASON)
    for by in (TESTER, DEVELOPER):
        with pytest.raises(NotPermitted):
            services.visits.grant(visit, by)
    services.visits.refuse(visit, ADMIN, REASON)
    with pytest.raises(GrantRefused, match="refused"):
        services.visits.grant(visit, ADMIN)
    with pytest.raises(GrantNotFound), services.control.begin() as session:
        services.visits.grant(people.find(session, ADMIN).id, ADMIN)


def test_the_database_itself_lets_nobody_let_themselves_in(services: Services) -> None:
    visit = services.visits.request(TESTER, "dev", 4, REASON)
    with pytest.raises(IntegrityError), services.control.begin() as session:
        session.execute(
            update(AccessGrant)
            .where(AccessGrant.id == visit)
            .values(state="granted", decided_by=AccessGrant.user_id, expires_at=text("now() + interval '1 day'"))
        )


@pytest.mark.parametrize(
    ("environment", "hours", "wanted", "reason"),
    [
        ("dev", 0, "developer", REASON),
        ("dev", 25, "developer", REASON),
        ("dev", 4, "user", REASON),
        ("dev", 4, "king", REASON),
        ("dev", 4, "developer", "short"),
        ("stage", 4, "developer", REASON),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    services: Services, environment: str, hours: int, wanted: str, reason: str
) -> None:
    with pytest.raises(BadInput):
        services.visits.request(TESTER, environment, hours, reason, wanted)
    assert services.visits.list() == []


def test_one_request_waits_at_a_time(services: Services) -> None:
    services.visits.request(TESTER, "dev", 4, REASON)
    with pytest.raises(BadInput, match="waits"):
        services.visits.request(TESTER, "dev", 4, REASON)
