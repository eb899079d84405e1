"""What an environment writes down of those who come."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from tests.entry.sample import REASON, Doors, get, get_all
from wisqu_pipelines.audit.verification import verify_environment
from wisqu_pipelines.catalog.models import AccountType, User
from wisqu_pipelines.entry.arrivals import Arrivals
from wisqu_pipelines.errors import StoreUnavailable
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, TESTER
from wisqu_pipelines.identity.models import CentralUser

SECOND = timedelta(seconds=1)
NOT_LET_IN = {
    "type": "urn:wisqu:problem:EntryRefused",
    "title": "EntryRefused",
    "status": 403,
    "detail": "The token is valid, but its person may not enter this environment.",
}


def verified(doors: Doors, environment: str) -> bool:
    return verify_environment(
        doors.services.control, doors.services.environments[environment].database, environment
    ).holds


def test_the_first_request_of_a_login_makes_the_row_and_one_link_of_the_audit(doors: Doors) -> None:
    app, token = doors.app("prod"), doors.token(DEVELOPER, "prod")
    person = doors.central(DEVELOPER)
    assert doors.local("prod", person.id) is None

    headers = {"User-Agent": "sample/1.0 " + "x" * 600}
    answers = get_all(app, [("/me", token)] * 3, headers)

    assert [each.status_code for each in answers] == [200] * 3
    row = doors.local("prod", person.id)
    assert row is not None
    assert (row.email, row.full_name, row.role, row.account_type) == (
        DEVELOPER,
        person.full_name,
        "developer",
        AccountType.UNLIMITED,
    )
    assert (row.environment, row.last_login, row.login_count) == ("prod", doors.clock.now(), 1)
    assert (row.is_test_account, row.password_hash, row.is_test_data) == (False, None, False)
    (link,) = doors.logins("prod")
    assert (link.user_id, link.environment, link.access_type, link.reason) == (person.id, "prod", "login", REASON)
    assert link.details is not None
    assert set(link.details) == {"token_id", "session_id", "role", "email"}
    assert link.ip_address == "127.0.0.1"
    assert link.user_agent is not None
    assert len(link.user_agent) == 500
    assert verified(doors, "prod")


def test_later_logins_count_and_bring_role_and_name_up_to_date(doors: Doors) -> None:
    app, person = doors.app("stage"), doors.central(TESTER)
    get(app, "/me", doors.token(TESTER, "stage"))
    doors.clock.advance(timedelta(minutes=1))
    doors.services.people.grant(TESTER, "stage", "developer", ADMIN, "joins the developers")
    with doors.services.control.begin() as session:
        session.execute(sa.update(CentralUser).where(CentralUser.id == person.id).values(full_name="Tariq al-Amin"))
    doors.clock.advance(SECOND)

    answer = get(app, "/me", doors.token(TESTER, "stage"))

    row = doors.local("stage", person.id)
    assert row is not None
    assert answer.json()["role"] == row.role == "developer"
    assert (row.full_name, row.login_count, row.last_login) == ("Tariq al-Amin", 2, doors.clock.now())
    assert len(doors.logins("stage")) == 2
    assert verified(doors, "stage")


def test_an_end_user_is_free_and_keeps_what_they_pay_for(doors: Doors) -> None:
    app, person = doors.app("prod"), UUID(int=7)

    def account_type() -> str:
        row = doors.local("prod", person)
        assert row is not None
        return row.account_type

    get(app, "/me", doors.signed("prod"))
    assert account_type() == AccountType.FREE
    doors.change("prod", person, account_type=AccountType.PREMIUM)
    doors.clock.advance(SECOND)
    get(app, "/me", doors.signed("prod"))
    assert account_type() == AccountType.PREMIUM
    doors.clock.advance(SECOND)
    get(app, "/me", doors.signed("prod", role="admin"))
    assert account_type() == AccountType.UNLIMITED


def test_twenty_first_requests_at_once_are_one_row_and_one_login(doors: Doors) -> None:
    app, token = doors.app("dev"), doors.token(ADMIN, "dev")

    answers = get_all(app, [("/me", token)] * 20)

    assert [each.status_code for each in answers] == [200] * 20
    row = doors.local("dev", doors.central(ADMIN).id)
    assert row is not None
    assert row.login_count == 1
    assert len(doors.logins("dev")) == 1
    assert verified(doors, "dev")


def test_twenty_first_requests_of_a_later_login_are_one_login_more(doors: Doors) -> None:
    app = doors.app("dev")
    get(app, "/me", doors.token(ADMIN, "dev"))
    doors.clock.advance(timedelta(hours=1))
    token = doors.token(ADMIN, "dev")

    answers = get_all(app, [("/me", token)] * 20)

    assert [each.status_code for each in answers] == [200] * 20
    row = doors.local("dev", doors.central(ADMIN).id)
    assert row is not None
    assert row.login_count == 2
    assert len(doors.logins("dev")) == 2


def test_a_login_counts_once_however_many_processes_see_its_token(doors: Doors) -> None:
    token = doors.token(ADMIN, "dev")
    start = threading.Barrier(4)
    found: list[int] = []

    def process() -> None:
        app = doors.app("dev")  # that remembers nothing of what the others have seen
        start.wait()
        found.extend(each.status_code for each in get_all(app, [("/me", token)] * 5))

    threads = [threading.Thread(target=process) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    doors.clock.advance(timedelta(minutes=10))
    assert get(doors.app("dev"), "/me", token).status_code == 200

    assert found == [200] * 20
    row = doors.local("dev", doors.central(ADMIN).id)
    assert row is not None
    assert row.login_count == 1
    assert len(doors.logins("dev")) == 1


def test_two_tokens_of_one_login_of_the_same_second_are_two(doors: Doors) -> None:
    app = doors.app("dev")
    tokens = [doors.token(ADMIN, "dev"), doors.token(ADMIN, "dev")]

    get_all(app, [("/me", each) for each in tokens * 5])

    row = doors.local("dev", doors.central(ADMIN).id)
    assert row is not None
    assert row.login_count == 2
    assert len(doors.logins("dev")) == 2
    assert verified(doors, "dev")


def test_many_people_who_come_at_once_are_each_one_row(doors: Doors) -> None:
    app = doors.app("stage")
    tokens = [doors.token(each, "stage") for each in (ADMIN, DEVELOPER, TESTER)]

    answers = get_all(app, [("/me", each) for each in tokens * 4])

    assert {each.status_code for each in answers} == {200}
    assert len(doors.logins("stage")) == 3
    assert verified(doors, "stage")


def test_whose_row_is_deleted_here_is_not_let_in(doors: Doors) -> None:
    app, token, person = doors.app("dev"), doors.token(DEVELOPER, "dev"), doors.central(DEVELOPER).id
    get(app, "/me", token)
    doors.change("dev", person, is_deleted=True, deleted_at=doors.clock.now())
    doors.clock.advance(SECOND)

    with capture_logs() as logged:
        answer = get(app, "/open", doors.token(DEVELOPER, "dev"))

    assert (answer.status_code, answer.json()) == (403, NOT_LET_IN)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "their row here is deleted" in logged[0]["because"]
    assert len(doors.logins("dev")) == 1
    row = doors.local("dev", person)
    assert row is not None
    assert row.is_deleted, "a login brings nobody back"


def test_who_is_deleted_here_while_they_are_in_is_out_within_a_minute(doors: Doors) -> None:
    app, token, person = doors.app("dev"), doors.token(DEVELOPER, "dev"), doors.central(DEVELOPER).id
    get(app, "/me", token)
    doors.change("dev", person, is_deleted=True, deleted_at=doors.clock.now())

    doors.clock.advance(timedelta(seconds=21))

    assert get(app, "/me", token).status_code == 403


def test_a_test_accounts_id_is_nobodys_central_id(doors: Doors) -> None:
    now = doors.clock.now()
    doors.add_user("dev", "dev-test-1@x.org", id=UUID(int=7), is_test_account=True, test_expires_at=now)

    assert get(doors.app("dev"), "/me", doors.signed("dev")).status_code == 403


def test_an_address_that_moved_centrally_moves_here_and_the_audit_says_from_whom(doors: Doors) -> None:
    app = doors.app("dev")
    former, person = doors.central(ADMIN).id, UUID(int=7)
    get(app, "/me", doors.token(ADMIN, "dev"))

    answer = get(app, "/me", doors.signed("dev", email=ADMIN))

    assert answer.status_code == 200
    rows = doors.local("dev", former), doors.local("dev", person)
    assert [each and each.email for each in rows] == [f"{former}@replaced.invalid", ADMIN]
    assert (doors.logins("dev")[-1].details or {})["address_taken_from"] == str(former)
    with doors.services.control.begin() as session:
        session.execute(sa.update(CentralUser).where(CentralUser.id == former).values(email="amal@new.example.org"))
    doors.clock.advance(SECOND)
    assert get(app, "/me", doors.token("amal@new.example.org", "dev")).status_code == 200
    assert [each.email for each in [doors.local("dev", former)] if each] == ["amal@new.example.org"]
    assert verified(doors, "dev")


def test_two_people_who_swap_their_addresses_come_in_at_once(doors: Doors) -> None:
    app = doors.app("dev")
    one, two = doors.central(ADMIN).id, doors.central(DEVELOPER).id
    get_all(app, [("/me", doors.token(ADMIN, "dev")), ("/me", doors.token(DEVELOPER, "dev"))])
    with doors.services.control.begin() as session:
        for person, email in ((one, "x@example.org"), (two, ADMIN), (one, DEVELOPER)):
            session.execute(sa.update(CentralUser).where(CentralUser.id == person).values(email=email))
    doors.clock.advance(SECOND)

    answers = get_all(app, [("/me", doors.token(ADMIN, "dev")), ("/me", doors.token(DEVELOPER, "dev"))] * 3)

    assert {each.status_code for each in answers} == {200}
    rows = doors.local("dev", one), doors.local("dev", two)
    assert [each and each.email for each in rows] == [DEVELOPER, ADMIN]


@pytest.mark.parametrize("values", [{}, {"is_test_account": True}])
def test_an_address_of_an_account_that_came_no_central_way_is_left_alone(doors: Doors, values: dict[str, bool]) -> None:
    other = doors.add_user("prod", "noor@example.org", **values)

    with capture_logs() as logged:
        answer = get(doors.app("prod"), "/me", doors.signed("prod"))

    assert (answer.status_code, answer.json()) == (403, NOT_LET_IN)
    assert str(other) in logged[0]["because"], "whoever looks after the environment finds the row"
    assert doors.local("prod", UUID(int=7)) is None
    assert doors.logins("prod") == []


def test_a_collision_with_somebody_who_does_not_come_this_way_is_no_crash(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors.add_user("dev", "noor@example.org")
    monkeypatch.setattr(Arrivals, "_free_address", lambda *_: None)  # as if it had come between two statements

    assert get(doors.app("dev"), "/me", doors.signed("dev")).json() == NOT_LET_IN
    assert doors.logins("dev") == []


def test_without_the_database_nobody_is_let_in_and_nothing_is_half_done(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable(store="database wisqu_dev", operation="transaction", cause="it is down")

    app, token = doors.app("dev"), doors.token(ADMIN, "dev")
    with monkeypatch.context() as patch, capture_logs() as logged:
        patch.setattr("wisqu_pipelines.entry.arrivals.append", fail)
        answer = get(app, "/open", token)
    assert (answer.status_code, answer.json()["title"]) == (503, "EntryUnavailable")
    assert answer.headers["content-type"] == "application/problem+json"
    assert logged[0]["log_level"] == "error"
    assert "it is down" not in answer.text
    with doors.services.environments["dev"].database.begin() as session:
        assert session.scalars(sa.select(User)).all() == []

    assert get(app, "/open", token).status_code == 200


def test_a_token_of_a_clock_that_is_a_little_ahead_counts_once(doors: Doors) -> None:
    app = doors.app("dev")
    doors.clock.advance(timedelta(seconds=4))
    token = doors.signed("dev")
    doors.clock.advance(timedelta(seconds=-4))

    get_all(app, [("/me", token)] * 3)
    get(doors.app("dev"), "/me", token)

    row = doors.local("dev", UUID(int=7))
    assert row is not None
    assert row.login_count == 1
