"""Logins, refreshes and tokens for environments, on real stores."""

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from wisqu_pipelines.audit.models import ControlChainHead, EnvironmentAccess
from wisqu_pipelines.audit.verification import verify_control
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.errors import (
    BadInput,
    LoginFailed,
    LoginThrottled,
    NotPermitted,
    PasswordRefused,
    TokenRefused,
    UnknownEnvironment,
)
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN, TESTER
from wisqu_pipelines.identity.keys import environment_purpose
from wisqu_pipelines.identity.models import Notice
from wisqu_pipelines.identity.service import Login, Origin, environment_kind
from wisqu_pipelines.identity.tokens import verify
from wisqu_pipelines.ports.clock import SystemClock
from wisqu_pipelines.settings import Settings
from wisqu_pipelines.storage.memory import ManualClock

PASSWORD = "correct horse battery staple"
REASON = "Looking into issue 4711"
END_USER = "reader@example.org"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(SystemClock().now())


@pytest.fixture
def moved(settings: Settings, services: Services, clock: ManualClock) -> Iterator[Services]:
    """The services at a time that tests move."""
    del services  # they have set the world up
    with open_services(settings, clock) as opened:
        yield opened


def login(services: Services, email: str = ADMIN) -> Login:
    with services.control.begin() as session:
        person = people.find(session, email).id
    return services.identity.login_known(person, "demo")


def audit(services: Services) -> list[tuple[str, str, bool]]:
    with services.control.begin() as session:
        rows = session.scalars(select(EnvironmentAccess).order_by(EnvironmentAccess.sequence)).all()
    return [(each.action, each.environment, each.success) for each in rows]


def test_ones_own_password_takes_the_present_one(moved: Services, clock: ManualClock) -> None:
    moved.people.create("eve@example.org", None, PASSWORD, SUPERADMIN, REASON)
    moved.people.grant("eve@example.org", "dev", "developer", SUPERADMIN, REASON)
    eve = moved.identity.login("eve@example.org", PASSWORD)
    moved.identity.environment_token(eve.identity, "dev", REASON)
    new = "another phrase that is long"
    with pytest.raises(PasswordRefused):
        moved.own_password.change(eve.identity, "what a thief guesses", new, Origin())
    with pytest.raises(NotPermitted, match="wisqu password"):
        moved.people.set_password("eve@example.org", new, "eve@example.org", REASON)
    with pytest.raises(BadInput, match="password"):
        moved.own_password.change(eve.identity, PASSWORD, "short", Origin())
    assert moved.identity.authenticate(eve.access_token).email == "eve@example.org", "nothing was changed"
    clock.advance(timedelta(seconds=5))
    assert moved.own_password.change(eve.identity, PASSWORD, new, Origin()) == 1
    with pytest.raises(TokenRefused):
        moved.identity.authenticate(eve.access_token)
    assert [each.not_before for each in moved.identity.cutoffs("dev")] == [clock.now()], "as are environments' tokens"
    with pytest.raises(LoginFailed):
        moved.identity.login("eve@example.org", PASSWORD)
    assert moved.identity.login("eve@example.org", new)
    assert [success for action, _, success in audit(moved) if action == "own_password_set"] == [False, True]


def test_guesses_of_ones_own_password_are_counted_as_at_the_login(moved: Services) -> None:
    moved.people.create("eve@example.org", None, PASSWORD, SUPERADMIN, REASON)
    eve = moved.identity.login("eve@example.org", PASSWORD).identity
    for _ in range(moved.settings.identity.attempts):
        with pytest.raises(PasswordRefused):
            moved.own_password.change(eve, "what a thief guesses", "another phrase that is long", Origin())
    with pytest.raises(LoginThrottled):
        moved.own_password.change(eve, PASSWORD, "another phrase that is long", Origin())


def test_who_has_no_password_makes_none_for_themselves(moved: Services) -> None:
    with pytest.raises(PasswordRefused):
        moved.own_password.change(login(moved).identity, "", "another phrase that is long", Origin())


@contextmanager
def audit_held(services: Services) -> Iterator[Callable[[int], None]]:
    """Nothing is written into the control database's audit meanwhile; what it gives waits until so many wait."""

    def wait_for(number: int) -> None:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with services.control.begin() as session:
                if session.scalar(text(waiting)) == number:
                    return
        raise AssertionError(f"there are never {number} that wait")

    with services.control.begin() as session:
        session.scalars(select(ControlChainHead).with_for_update()).all()
        yield wait_for


def reader(services: Services) -> str:
    services.people.create(END_USER, "A reader", PASSWORD, SUPERADMIN, REASON)
    services.people.grant(END_USER, "prod", "user", SUPERADMIN, REASON)
    return END_USER


def test_unknown_wrong_closed_and_without_a_password_are_answered_alike(services: Services) -> None:
    services.people.create("closed@example.org", None, PASSWORD, SUPERADMIN, REASON)
    services.people.disable("closed@example.org", SUPERADMIN, REASON)
    services.people.set_password(ADMIN, PASSWORD, SUPERADMIN, REASON)
    before = len(audit(services))
    said = set()
    tried = [
        ("nobody@example.org", PASSWORD),
        (ADMIN, "not the password"),
        ("closed@example.org", PASSWORD),
        (DEVELOPER, PASSWORD),
        ("\x00' OR 1=1 --", PASSWORD),
        (ADMIN, ""),
        (ADMIN, PASSWORD + "\x00"),
    ]
    for email, password in tried:
        with pytest.raises(LoginFailed) as refused:
            services.identity.login(email, password, Origin("192.0.2.1", "a browser"))
        said.add(str(refused.value))
    assert len(said) == 1
    assert audit(services)[before:] == [("login", "identity", False)] * len(tried)
    assert verify_control(services.control).holds


def test_a_login_that_is_held_back_is_told_once_a_minute_for_each_network_address(services: Services) -> None:
    attempts = services.settings.identity.attempts
    for _ in range(attempts):
        with pytest.raises(LoginFailed):
            services.identity.login(ADMIN, "not the password")
    before = len(audit(services))
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1"):
        with pytest.raises(LoginThrottled):
            services.identity.login(ADMIN, PASSWORD, Origin(address, "a browser"))
    with services.control.begin() as session:
        rows = session.scalars(select(EnvironmentAccess).order_by(EnvironmentAccess.sequence)).all()[before:]
        told = [(each.ip_address, each.success, each.details) for each in rows]
    assert [(address, success) for address, success, _ in told] == [("192.0.2.1", False), ("192.0.2.2", False)]
    assert all(about and about["because"] == "too many attempts" and about["email"] == ADMIN for *_, about in told)
    assert verify_control(services.control).holds


def test_where_there_are_no_passwords_none_is_right(settings: Settings, services: Services) -> None:
    services.people.set_password(ADMIN, PASSWORD, SUPERADMIN, REASON)
    without = settings.model_copy(update={"identity": settings.identity.model_copy(update={"passwords": False})})
    before = len(audit(services))
    with open_services(without) as opened, pytest.raises(LoginFailed):
        opened.identity.login(ADMIN, PASSWORD)
    assert audit(services)[before:] == [("login", "identity", False)]
    assert services.identity.login(ADMIN, PASSWORD).identity.email == ADMIN


def test_a_login_is_as_good_in_any_case_of_the_address(services: Services) -> None:
    services.people.set_password(ADMIN, PASSWORD, SUPERADMIN, REASON)
    given = services.identity.login(f"  {ADMIN.upper()} ", PASSWORD)
    assert services.identity.authenticate(given.access_token).email == ADMIN


def test_unknown_and_wrong_take_the_same_time(services: Services) -> None:
    reader(services)
    took: dict[str, list[float]] = {"nobody@example.org": [], END_USER: []}
    for _ in range(15):
        for email, times in took.items():
            services.identity._limits.succeeded(email)
            begun = time.perf_counter()
            with pytest.raises(LoginFailed):
                services.identity.login(email, "not the password")
            times.append(time.perf_counter() - begun)
    unknown, wrong = (statistics.median(times) for times in took.values())
    assert 0.6 < unknown / wrong < 1.67


def test_a_refresh_token_is_used_once(services: Services) -> None:
    first = login(services)
    second = services.identity.refresh(first.refresh_token)
    assert second.identity.session_id == first.identity.session_id
    assert services.identity.authenticate(second.access_token).email == ADMIN

    with pytest.raises(TokenRefused, match="used before"):
        services.identity.refresh(first.refresh_token)

    for token in (first.access_token, second.access_token):
        with pytest.raises(TokenRefused):
            services.identity.authenticate(token)
    with pytest.raises(TokenRefused, match="ended"):
        services.identity.refresh(second.refresh_token)


def test_of_sixteen_refreshes_at_once_at_most_one_wins(services: Services) -> None:
    given = login(services)

    def refresh(_: int) -> Login | None:
        try:
            return services.identity.refresh(given.refresh_token)
        except TokenRefused:
            return None

    with ThreadPoolExecutor(16) as pool:
        won = [each for each in pool.map(refresh, range(16)) if each is not None]
    assert len(won) == 1
    with pytest.raises(TokenRefused):
        services.identity.authenticate(won[0].access_token)
    assert verify_control(services.control).holds


@pytest.mark.parametrize("token", ["", "x", "\x00", "\ud800", "x" * 10_000])
def test_no_other_text_refreshes(services: Services, token: str) -> None:
    with pytest.raises(TokenRefused, match="unknown"):
        services.identity.refresh(token)


def test_who_makes_refresh_tokens_up_does_not_fill_the_audit(services: Services) -> None:
    given = login(services)
    before = len(audit(services))
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1"):
        with pytest.raises(TokenRefused, match="unknown"):
            services.identity.refresh(f"made up {address}", Origin(address))
    assert audit(services)[before:] == [("login_refreshed", "identity", False)] * 2
    services.identity.refresh(given.refresh_token)
    before = len(audit(services))
    for _ in range(2):
        with pytest.raises(TokenRefused, match="used before"):
            services.identity.refresh(given.refresh_token, Origin("192.0.2.1"))
    assert audit(services)[before:] == [("login_refreshed", "identity", False)] * 2, "one of ours always is"


def test_a_login_ends_with_its_time(moved: Services, clock: ManualClock) -> None:
    given = login(moved)
    clock.advance(timedelta(minutes=moved.settings.identity.access_minutes))
    with pytest.raises(TokenRefused, match="expired"):
        moved.identity.authenticate(given.access_token)
    assert moved.identity.authenticate(moved.identity.refresh(given.refresh_token).access_token).email == ADMIN
    late = login(moved)
    clock.advance(timedelta(days=moved.settings.identity.refresh_days))
    with pytest.raises(TokenRefused, match="expired"):
        moved.identity.refresh(late.refresh_token)


def test_a_logout_ends_one_login_or_all(services: Services) -> None:
    here, there = login(services), login(services)
    assert services.identity.logout(here.identity) == 1
    with pytest.raises(TokenRefused):
        services.identity.authenticate(here.access_token)
    who = services.identity.authenticate(there.access_token)
    login(services)
    assert services.identity.logout(who, everywhere=True) == 2
    with pytest.raises(TokenRefused):
        services.identity.refresh(there.refresh_token)


def test_a_closed_account_and_another_password_end_logins_at_once(services: Services) -> None:
    given = login(services, DEVELOPER)
    services.people.set_password(DEVELOPER, PASSWORD, ADMIN, REASON)
    with pytest.raises(TokenRefused):
        services.identity.authenticate(given.access_token)
    again = services.identity.login(DEVELOPER, PASSWORD)
    services.people.disable(DEVELOPER, SUPERADMIN, REASON)
    with pytest.raises(TokenRefused):
        services.identity.authenticate(again.access_token)
    with pytest.raises(TokenRefused):
        services.identity.refresh(again.refresh_token)


def test_a_password_that_is_changed_while_it_is_checked_logs_nobody_in(services: Services) -> None:
    services.people.set_password(ADMIN, PASSWORD, SUPERADMIN, REASON)
    with ThreadPoolExecutor(2) as pool:
        with audit_held(services) as wait_for:
            changing = pool.submit(services.people.set_password, ADMIN, "another " + PASSWORD, SUPERADMIN, REASON)
            wait_for(1)
            coming = pool.submit(services.identity.login, ADMIN, PASSWORD)
            wait_for(2)
        changing.result()
        with pytest.raises(LoginFailed):
            coming.result()


@pytest.mark.parametrize("is_for_a_time", [False, True])
def test_a_token_that_is_issued_while_its_role_is_taken_opens_nothing(
    moved: Services, clock: ManualClock, is_for_a_time: bool
) -> None:
    who = login(moved, DEVELOPER).identity
    taken: Callable[[], None] = partial(moved.people.revoke, DEVELOPER, "stage", ADMIN, REASON)
    if is_for_a_time:
        taken()
        clock.advance(timedelta(seconds=2))
        visit = moved.visits.request(DEVELOPER, "stage", 4, REASON)
        moved.visits.grant(visit, ADMIN)
        taken = partial(moved.visits.end, visit, ADMIN, REASON)
    with ThreadPoolExecutor(2) as pool:
        with audit_held(moved) as wait_for:
            taking = pool.submit(taken)
            wait_for(1)
            clock.advance(timedelta(seconds=2))
            entering = pool.submit(moved.identity.environment_token, who, "stage", REASON)
            wait_for(2)
        taking.result()
        with pytest.raises(NotPermitted):
            entering.result()


@pytest.mark.parametrize("environment", ["dev", "stage", "prod"])
def test_a_token_for_an_environment_is_that_environments_alone(services: Services, environment: str) -> None:
    given = services.identity.environment_token(login(services, DEVELOPER).identity, environment, REASON)
    now = services.clock.now()
    claims = verify(
        given.token,
        services.keys[environment_purpose(environment)].verifying(),
        environment_kind(services.settings, environment),
        now,
    )
    assert claims.all["role"] == "developer"
    assert claims.expires_at - claims.issued_at == timedelta(minutes=15)
    for other in {"dev", "stage", "prod"} - {environment}:
        with pytest.raises(TokenRefused):
            verify(
                given.token,
                services.keys[environment_purpose(other)].verifying(),
                environment_kind(services.settings, other),
                now,
            )
    with pytest.raises(TokenRefused):
        services.identity.authenticate(given.token)


@pytest.mark.parametrize(
    ("email", "environment", "needs"),
    [
        (DEVELOPER, "dev", False),
        (DEVELOPER, "stage", True),
        (DEVELOPER, "prod", True),
        (TESTER, "stage", False),
        (ADMIN, "stage", False),
        (ADMIN, "prod", True),
        (SUPERADMIN, "prod", True),
        (END_USER, "prod", False),
    ],
)
def test_a_reason_is_given_where_the_matrix_asks_for_one(
    services: Services, email: str, environment: str, needs: bool
) -> None:
    if email == END_USER:
        reader(services)
    who = login(services, email).identity
    if needs:
        for nothing in (None, "", "   ", "too short", "a" * 40, ". . . . . . . . . . . .", "121212121212"):
            with pytest.raises(BadInput, match="reason"):
                services.identity.environment_token(who, environment, nothing)
        assert audit(services)[-1] == ("environment_token", environment, False)
    services.identity.environment_token(who, environment, REASON if needs else None)
    assert audit(services)[-1] == ("environment_token", environment, True)
    with services.control.begin() as session:
        notices = session.scalars(select(Notice)).all()
    assert [each.details["reason"] for each in notices] == ([REASON] if needs else [])
    assert verify_control(services.control).holds


@pytest.mark.parametrize(("email", "environment"), [(TESTER, "dev"), (TESTER, "prod"), (END_USER, "dev")])
def test_nobody_enters_where_they_have_no_role(services: Services, email: str, environment: str) -> None:
    if email == END_USER:
        reader(services)
    who = login(services, email).identity
    with pytest.raises(NotPermitted, match="no access"):
        services.identity.environment_token(who, environment, REASON)
    assert audit(services)[-1] == ("environment_token", environment, False)
    with pytest.raises(UnknownEnvironment):
        services.identity.environment_token(who, "moon", REASON)


@pytest.mark.parametrize(
    "reason",
    ["=HYPERLINK(1) of issue 4711", "بررسی خطای ورود کاربر", "<b>issue</b> '; DROP TABLE x", "🕌 a look at issue 4711"],
)
def test_a_reason_is_kept_as_it_was_given(services: Services, reason: str) -> None:
    services.identity.environment_token(login(services).identity, "prod", f"  {reason} ")
    with services.control.begin() as session:
        kept = session.scalars(select(EnvironmentAccess).order_by(EnvironmentAccess.sequence.desc())).first()
    assert kept is not None
    assert kept.reason == reason


def test_a_token_ends_with_the_visit(moved: Services, clock: ManualClock) -> None:
    visit = moved.visits.request(TESTER, "prod", 1, REASON)
    moved.visits.grant(visit, ADMIN)
    clock.advance(timedelta(minutes=50))
    who = login(moved, TESTER).identity
    given = moved.identity.environment_token(who, "prod", REASON)
    assert given.expires_at <= clock.now() + timedelta(minutes=10)
    clock.advance(timedelta(minutes=10))
    with pytest.raises(NotPermitted):
        moved.identity.environment_token(who, "prod", REASON)


def test_a_role_that_is_taken_voids_what_was_issued(services: Services) -> None:
    who = login(services, TESTER).identity
    services.identity.environment_token(who, "stage", None)
    assert services.identity.cutoffs("stage") == []
    services.people.revoke(TESTER, "stage", ADMIN, REASON)
    assert [each.user_id for each in services.identity.cutoffs("stage")] == [who.user_id]
    assert services.identity.cutoffs("prod") == []
    with pytest.raises(NotPermitted):
        services.identity.environment_token(who, "stage", None)


def test_nobody_is_made_up(services: Services) -> None:
    for nobody in (UUID(int=0), uuid4()):
        with pytest.raises(LoginFailed):
            services.identity.login_known(nobody, "oidc")
