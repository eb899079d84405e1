"""Logins of developers' test accounts."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from tests.entry.sample import Doors, get, sample_app
from wisqu_pipelines.accounts.service import NewTestAccount
from wisqu_pipelines.audit.verification import verify_environment
from wisqu_pipelines.entry.entrance import Entrance
from wisqu_pipelines.errors import LoginFailed
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER
from wisqu_pipelines.identity.service import environment_kind

HOUR = timedelta(hours=1)


@pytest.fixture
def account(doors: Doors) -> NewTestAccount:
    """A test account of a day in stage."""
    return made(doors)


def made(doors: Doors, hours: int = 24) -> NewTestAccount:
    services = replace(doors.services, clock=doors.clock)
    developer = services.developer(doors.central(DEVELOPER).id, "stage")
    return services.test_accounts("stage").create(developer, "trying the reader's side", hours)


def login(doors: Doors, account: NewTestAccount) -> str:
    return doors.test_sessions("stage").login(account.email, account.password)[0]


def test_a_test_account_logs_in_and_is_known_as_one(doors: Doors, account: NewTestAccount) -> None:
    token, ends = doors.test_sessions("stage").login(account.email, account.password)

    said = get(doors.app("stage"), "/me", token).json()

    assert token.startswith("wts_")
    assert ends == doors.clock.now() + 8 * HOUR
    assert said.pop("token_id") not in token
    assert said == {
        "id": str(account.id),
        "email": account.email,
        "role": "user",
        "is_test_account": True,
        "test_accounts": False,
        "reason": None,
        "expires_at": ends.isoformat().replace("+00:00", "Z"),
    }
    row = doors.local("stage", account.id)
    assert row is not None
    assert (row.login_count, row.last_login) == (1, doors.clock.now())
    (link,) = doors.logins("stage")
    assert (link.user_id, link.access_type) == (account.id, "test_login")
    assert (link.details or {})["created_by_developer"] == str(doors.central(DEVELOPER).id)
    stage = doors.services.environments["stage"]
    assert verify_environment(doors.services.control, stage.database, "stage").holds


def test_addresses_are_found_however_they_are_written(doors: Doors, account: NewTestAccount) -> None:
    assert doors.test_sessions("stage").login(f" {account.email.upper()} ", account.password)


def test_unknown_wrong_and_over_are_the_same_answer_and_the_same_work(
    doors: Doors, account: NewTestAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, sessions = made(doors, 1), doors.test_sessions("stage")
    gone = made(doors, 24)
    doors.change("stage", gone.id, is_deleted=True)
    doors.add_user("stage", "noor@example.org", password_hash="$argon2id$v=19$m=8,t=1,p=1$YWFhYWFhYWE$YQ")
    doors.clock.advance(HOUR)
    looked: list[str | None] = []

    def matches(_password: str, kept: str | None) -> bool:
        looked.append(kept)
        return False

    monkeypatch.setattr("wisqu_pipelines.entry.test_sessions.passwords.matches", matches)

    for email in ("nobody@x.org", account.email, over.email, gone.email, "noor@example.org", "a\0b@x.org", "\ud800"):
        with pytest.raises(LoginFailed) as refused:
            sessions.login(email, account.password)
        assert str(refused.value) == str(LoginFailed())

    assert len(looked) == 7, "each is compared with something"
    assert [each is None for each in looked] == [True, False, True, True, True, True, True]
    assert doors.logins("stage") == []


def test_another_accounts_password_is_wrong(doors: Doors, account: NewTestAccount) -> None:
    with pytest.raises(LoginFailed):
        doors.test_sessions("stage").login(account.email, made(doors).password)


def test_a_session_ends_after_eight_hours(doors: Doors, account: NewTestAccount) -> None:
    app, token = doors.app("stage"), login(doors, account)

    doors.clock.advance(8 * HOUR - timedelta(seconds=1))
    assert get(app, "/me", token).status_code == 200
    doors.clock.advance(timedelta(seconds=1))
    refused = get(app, "/me", token)
    assert (refused.status_code, refused.json()["title"]) == (401, "TokenRefused")
    assert refused.headers["www-authenticate"] == "Bearer"


def test_a_session_ends_with_its_account(doors: Doors) -> None:
    account = made(doors, 2)
    token, ends = doors.test_sessions("stage").login(account.email, account.password)
    assert ends == account.expires_at
    app = doors.app("stage")

    doors.clock.advance(2 * HOUR)

    assert get(app, "/me", token).status_code == 401


def test_an_account_that_is_closed_or_shortened_is_out_at_once(doors: Doors, account: NewTestAccount) -> None:
    app, token = doors.app("stage"), login(doors, account)
    doors.change("stage", account.id, test_expires_at=doors.clock.now() + HOUR)
    assert get(app, "/me", token).json()["expires_at"] == (doors.clock.now() + HOUR).isoformat().replace("+00:00", "Z")

    doors.change("stage", account.id, is_deleted=True)
    assert get(app, "/me", token).status_code == 401
    doors.change("stage", account.id, is_deleted=False, is_test_account=False)
    assert get(app, "/me", token).status_code == 401


def test_deleting_an_account_ends_its_sessions_and_no_others(doors: Doors, account: NewTestAccount) -> None:
    app, other = doors.app("stage"), made(doors)
    tokens = [login(doors, account), login(doors, account), login(doors, other)]
    assert [get(app, "/me", each).status_code for each in tokens] == [200, 200, 200]

    developer = doors.services.developer(doors.central(DEVELOPER).id, "stage")
    doors.services.test_accounts("stage").delete(developer, account.id, "no longer needed")

    assert [get(app, "/me", each).status_code for each in tokens] == [401, 401, 200]
    assert doors.test_sessions("stage").end_all(account.id) == 0, "the account service found both"


def test_sessions_are_ended_one_by_one_or_all_at_once(doors: Doors, account: NewTestAccount) -> None:
    sessions = doors.test_sessions("stage")
    tokens = [login(doors, account) for _ in range(3)]

    assert sessions.end(tokens[0])
    assert not sessions.end(tokens[0])
    assert [sessions.find(each) is not None for each in tokens] == [False, True, True]
    assert sessions.end_all(account.id) == 2
    assert [sessions.find(each) for each in tokens] == [None] * 3
    assert sessions.end_all(account.id) == 0
    assert sessions.end_all(UUID(int=1)) == 0


def test_a_session_opens_no_other_environment(doors: Doors, account: NewTestAccount) -> None:
    token = login(doors, account)

    assert [get(doors.app(each), "/me", token).status_code for each in ("dev", "stage", "prod")] == [401, 200, 401]


def test_what_only_looks_like_a_session_is_refused(doors: Doors, account: NewTestAccount) -> None:
    app, token = doors.app("stage"), login(doors, account)
    signed = doors.token(ADMIN, "stage")

    for wrong in ("wts_", "wts_" + "x" * 43, token[:-1], token + "A", "wts_" + "x" * 10_000, f"wts_{signed}"):
        assert get(app, "/open", wrong).status_code == 401


def test_redis_holds_no_token(doors: Doors, account: NewTestAccount) -> None:
    token = login(doors, account)
    stage = doors.services.environments["stage"]
    user = doors.test_sessions("stage").find(token)
    assert user is not None

    assert stage.sessions.get(f"test-session/{token}") is None
    assert stage.sessions.get(f"test-session/{account.id}/{user.token_id}") == user.expires_at.isoformat().encode()


def test_an_entrance_without_test_accounts_knows_none(doors: Doors, account: NewTestAccount) -> None:
    stage = doors.services.environments["stage"]
    kind = environment_kind(doors.services.settings, "stage")
    entrance = Entrance("stage", kind, stage.database, doors.feed("stage"), doors.clock)

    assert get(sample_app(entrance), "/me", login(doors, account)).status_code == 401
