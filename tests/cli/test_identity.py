"""`wisqu login`, `users`, `access`, `keys` and `accounts`, as people use them."""

import json
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Wisqu
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN, TESTER

PASSWORD = "correct horse battery staple"
AS_SUPERADMIN = ("--as", SUPERADMIN)
WHY = ("--reason", "Looking into issue 4711")

ENVIRONMENTS = ("dev", "stage", "prod")


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    return tmp_path / "wisqu" / "credentials.json"


@pytest.fixture
def eve(wisqu: Wisqu, services: Services) -> str:
    """Somebody with a password who is no demo person."""
    del services
    new = ("eve@example.org", "--name", "Eve", "--password-stdin")
    made = wisqu("users", "create", *new, *WHY, *AS_SUPERADMIN, stdin=PASSWORD)
    assert made.code == 0, made.err
    return "eve@example.org"


def test_a_login_acts_until_the_logout(wisqu: Wisqu, eve: str, credentials: Path) -> None:
    assert wisqu("whoami").code == 2
    given = wisqu("users", "grant", eve, "stage", "developer", *WHY, *AS_SUPERADMIN)
    assert given.code == 0, given.err
    logged = wisqu("login", eve, "--password-stdin", stdin=PASSWORD)
    assert logged.code == 0, logged.err
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert PASSWORD not in credentials.read_text()
    assert wisqu("whoami", "--json").json["email"] == eve

    made = wisqu("accounts", "create", "stage", *WHY, "--json")
    assert made.code == 0, made.err
    assert made.json["created_by"] == eve
    shown = wisqu("accounts", "list", "stage")
    assert made.json["email"] in shown.out
    assert made.json["password"] not in shown.out
    assert wisqu("accounts", "create", "prod", *WHY).code == 2
    assert wisqu("accounts", "delete", "stage", made.json["id"]).code == 0

    assert wisqu("logout").code == 0
    gone = wisqu("accounts", "list", "stage")
    assert gone.code == 2
    assert "wisqu login" in gone.err


def test_ones_own_password_is_changed(wisqu: Wisqu, eve: str) -> None:
    new = "another phrase that is long"
    assert wisqu("login", eve, "--password-stdin", stdin=PASSWORD).code == 0
    wrong = wisqu("password", "--password-stdin", stdin=f"not the password\n{new}\n")
    assert (wrong.code, "not your present password" in wrong.err) == (2, True)
    changed = wisqu("password", "--password-stdin", stdin=f"{PASSWORD}\n{new}\n")
    assert (changed.code, "1 login ended" in changed.out) == (0, True)
    assert wisqu("whoami").code == 2
    assert wisqu("login", eve, "--password-stdin", stdin=new).code == 0


def test_as_is_for_demo_people_only(wisqu: Wisqu, eve: str) -> None:
    refused = wisqu("users", "list")
    assert refused.code == 0, "reading needs no login"
    acting = wisqu("access", "request", "prod", "--for", "4h", *WHY, "--as", eve)
    assert acting.code == 2
    assert "wisqu login" in acting.err
    wisqu("users", "password", TESTER, "--password-stdin", *AS_SUPERADMIN, stdin=PASSWORD)
    assert wisqu("access", "request", "prod", "--for", "4h", *WHY, "--as", TESTER).code == 2, "they have a password now"


def test_on_stores_of_ones_own_what_changes_something_takes_a_login(
    wisqu: Wisqu, services: Services, eve: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wisqu("users", "grant", eve, "dev", "developer", *WHY, *AS_SUPERADMIN)
    monkeypatch.setenv("WISQU_IDENTITY__KEYS", str(services.settings.key_directory))
    monkeypatch.setenv("WISQU_STACK__EMBEDDED", "false")
    (tmp_path / "guide.md").write_text("How to pray when travelling, in some words.")
    changing = [
        ("ingest", tmp_path / "guide.md", "--env", "dev"),
        ("promote", "preview", "rag_documents", "dev", "stage"),
        ("promote", "scan-test-data", "dev"),
        ("approvals", "grant", "3e1c2b8e-6a55-4f0b-9a0c-1f4f6f0a7a11"),
        ("users", "grant", eve, "stage", "developer", *WHY),
    ]
    for command in changing:
        for more in ((), AS_SUPERADMIN):
            refused = wisqu(*command, *more)
            assert refused.code == 2
            assert "wisqu login" in refused.err
    for reading in (("promote", "list"), ("promote", "scan-test-data", "dev", "--dry-run"), ("users", "list")):
        assert wisqu(*reading).code == 0
    assert wisqu("login", eve, "--password-stdin", stdin=PASSWORD).code == 0
    assert wisqu(*changing[0]).code == 0
    assert wisqu(*changing[2]).code == 0


def test_a_wrong_password_and_a_file_that_others_read(wisqu: Wisqu, eve: str, credentials: Path) -> None:
    wrong = wisqu("login", eve, "--password-stdin", stdin="not the password")
    assert wrong.code == 2
    assert "wrong" in wrong.err
    assert not credentials.exists()
    assert wisqu("login", eve, "--password-stdin", stdin=PASSWORD).code == 0
    credentials.chmod(0o644)
    assert "can be read by others" in wisqu("whoami").err
    credentials.chmod(0o600)
    credentials.write_text("{")
    assert "cannot be used" in wisqu("whoami").err


def test_a_disabled_persons_login_is_over(wisqu: Wisqu, eve: str) -> None:
    assert wisqu("login", eve, "--password-stdin", stdin=PASSWORD).code == 0
    assert wisqu("users", "disable", eve, *WHY, *AS_SUPERADMIN).code == 0
    over = wisqu("whoami")
    assert over.code == 2
    assert "is over" in over.err
    assert wisqu("users", "enable", eve, *WHY, *AS_SUPERADMIN).code == 0
    assert wisqu("whoami").code == 2, "an account that is opened again needs a new login"


def test_roles_are_given_and_taken_by_those_who_may(wisqu: Wisqu, eve: str) -> None:
    assert wisqu("users", "grant", eve, "prod", "admin", *WHY, "--as", ADMIN).code == 2
    assert wisqu("users", "grant", eve, "prod", "tester", *WHY, *AS_SUPERADMIN).code == 2
    assert wisqu("users", "grant", eve, "prod", "developer", *WHY, "--as", ADMIN).code == 0
    listed = wisqu("users", "list", "--json").json
    assert next(each["roles"] for each in listed if each["email"] == eve) == {"prod": "developer"}
    assert wisqu("users", "revoke", eve, "prod", *WHY, "--as", DEVELOPER).code == 2
    assert wisqu("users", "revoke", eve, "prod", *WHY, "--as", ADMIN).code == 0
    assert "eve@example.org" in wisqu("users", "list").out


def test_a_first_superadmin_is_made_where_there_is_none(wisqu: Wisqu, services: Services) -> None:
    there = wisqu("users", "create", "root@example.org", "--first-superadmin")
    assert there.code == 2
    assert "there is one already" in there.err
    with services.control.begin() as session:
        session.connection().exec_driver_sql("UPDATE central_users SET is_active = false")
    made = wisqu("users", "create", "root@example.org", "--first-superadmin")
    assert made.code == 0, made.err
    password = made.out.split("shown this once: ")[1].strip()
    assert wisqu("login", "root@example.org", "--password-stdin", stdin=password).code == 0
    assert {each["role"] for each in wisqu("whoami", "--json").json["entries"]} == {"superadmin"}


def test_access_for_a_time(wisqu: Wisqu, services: Services) -> None:
    del services
    asked = wisqu("access", "request", "dev", "--for", "4h", *WHY, "--as", TESTER)
    assert asked.code == 0, asked.err
    request = wisqu("access", "list", "--json").json[0]["id"]
    assert request in asked.out
    assert wisqu("access", "grant", request, "--as", TESTER).code == 2
    assert wisqu("access", "grant", request, "--as", ADMIN).code == 0
    assert wisqu("access", "list", "dev", "--json").json[0]["state"] == "granted"
    assert wisqu("access", "end", request, *WHY, "--as", TESTER).code == 0
    assert "ended" in wisqu("access", "list").out
    assert wisqu("access", "entries", "prod", "--as", ADMIN).code == 0
    assert wisqu("access", "entries", "prod", "--as", TESTER).code == 2
    assert wisqu("access", "request", "dev", "--for", "soon", *WHY, "--as", TESTER).code == 2


def test_keys_are_shown_rotated_and_revoked(wisqu: Wisqu, services: Services) -> None:
    there = wisqu("keys", "init", "--json").json
    assert there["purposes"] == list(services.keys.purposes)
    assert there["directory"] == str(services.settings.key_directory)
    before = wisqu("keys", "list", "--json").json
    assert "signs" in wisqu("keys", "list").out
    assert set(before) == {"access", "approvals", "checkpoints", *(f"environment-{name}" for name in ENVIRONMENTS)}
    assert all(len(keys) == 1 and keys[0]["is_signing"] for keys in before.values())
    only = wisqu("keys", "revoke", "access", before["access"][0]["kid"])
    assert only.code == 2
    rotated = wisqu("keys", "rotate", "access", "--json").json
    listed = wisqu("keys", "list", "--json").json["access"]
    (new,) = {each["kid"] for each in listed} - {before["access"][0]["kid"]}
    assert rotated == {"done": "rotated", "purpose": "access", "kid": new, "signs_in_seconds": 90}
    assert [each["is_signing"] for each in listed] == [True, False]
    revoked = wisqu("keys", "revoke", "access", before["access"][0]["kid"], "--json").json
    assert revoked == {"done": "revoked", "purpose": "access", "kid": before["access"][0]["kid"]}
    assert wisqu("keys", "rotate", "moon").code == 2
    assert '"d"' not in json.dumps(before)


def test_expired_accounts_are_swept(wisqu: Wisqu, services: Services) -> None:
    assert wisqu("accounts", "create", "stage", *WHY, "--hours", "1", "--as", DEVELOPER).code == 0
    with services.environments["stage"].database.begin() as session:
        session.connection().exec_driver_sql("UPDATE users SET test_expires_at = now() - interval '1 second'")
    assert "1 test account." in wisqu("accounts", "expire", "stage").out
    assert wisqu("accounts", "expire", "stage", "--json").json == []
