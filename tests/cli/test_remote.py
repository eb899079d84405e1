"""The commands through a server's API: the same answers, as whoever is logged in there."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from structlog.testing import capture_logs

from tests.cli.conftest import Wisqu
from tests.erasure.conftest import CASE, a_person
from tests.fixtures.restoring import backup
from tests.fixtures.stack import Stack
from tests.promotion.gate import planned
from tests.promotion.world import World
from tests.retention.conftest import OLD, Rows
from wisqu_pipelines.api.app import create_app
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import RagDocument, User
from wisqu_pipelines.cli import credentials
from wisqu_pipelines.cli.credentials import Kept
from wisqu_pipelines.cli.remote.server import ATTEMPTS, Server, checked
from wisqu_pipelines.errors import BadInput, ServerUnavailable, ServerUnreachable
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN
from wisqu_pipelines.identity.service import Identity, Login
from wisqu_pipelines.promotion.freezes import FreezeService
from wisqu_pipelines.promotion.verification import Verification

PASSWORD = "correct horse battery staple"
DEVELOPER, APPROVER = "eve@example.org", "adam@example.org"
REASON = "Looking into issue 4711"
WHY = ("--reason", REASON)


@pytest.fixture
def server(services: Services) -> Iterator[str]:
    """The API over HTTP, and two people with passwords."""
    for email, roles in (
        (DEVELOPER, {"dev": "developer", "stage": "developer"}),
        (APPROVER, {"dev": "admin", "stage": "admin"}),
    ):
        services.people.create(email, None, PASSWORD, SUPERADMIN, REASON)
        for environment, role in roles.items():
            services.people.grant(email, environment, role, SUPERADMIN, REASON)
    running = uvicorn.Server(uvicorn.Config(create_app(services), host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    try:
        with capture_logs():  # what a server writes goes elsewhere than what the commands write
            yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join()


@pytest.fixture
def at(wisqu: Wisqu, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Wisqu:
    """Commands of two people, each with a login and a file of their own; the first argument says whose."""
    for email in (DEVELOPER, APPROVER):
        monkeypatch.setenv("WISQU_CREDENTIALS", str(tmp_path / email / "credentials.json"))
        logged = wisqu("login", email, "--server", server, "--password-stdin", stdin=PASSWORD)
        assert logged.code == 0, logged.err

    def run(who: str, *arguments: object, stdin: str = "") -> object:
        monkeypatch.setenv("WISQU_CREDENTIALS", str(tmp_path / who / "credentials.json"))
        return wisqu(*arguments, stdin=stdin)

    return run  # type: ignore[return-value]


def test_a_promotion_from_the_item_to_the_rollback(at: Wisqu, services: Services) -> None:
    world = World(services)
    document = world.document("guide.md", "How to pray")
    world.change(document, "dev", promotion_status="draft", is_promotable=False)
    (item,) = at(DEVELOPER, "promote", "items", "rag_documents", "--json").json
    assert (item["id"], item["promotion_status"]) == (str(document), "draft")
    assert at(DEVELOPER, "promote", "approve", "rag_documents", document).code == 0

    made = at(DEVELOPER, "promote", "preview", "rag_documents", "dev", "stage", *WHY, "--json").json
    promotion = made["preview"]["promotion_id"]
    assert made["total_count"] == 2
    assert at(DEVELOPER, "promote", "status", promotion, "--json").json["requested_by"] == DEVELOPER
    assert at(DEVELOPER, "promote", "status", promotion, "--json").json["requested_via"] == "api"
    assert len(at(DEVELOPER, "promote", "plan", promotion, "--json").json["items"]) == 2
    assert at(DEVELOPER, "promote", "plan", promotion, "--against", promotion, "--json").json == []
    (waiting,) = at(APPROVER, "approvals", "list", "--json").json
    assert waiting["promotion_id"] == promotion

    refused = at(DEVELOPER, "promote", "execute", promotion)
    assert (refused.code, "not approved yet" in refused.err) == (2, True)
    assert at(APPROVER, "approvals", "grant", promotion).code == 0
    assert at(APPROVER, "approvals", "revoke", promotion, *WHY).code == 0
    again = at(DEVELOPER, "promote", "preview", "rag_documents", "dev", "stage", "--reason", "once more", "--json").json
    promotion = again["preview"]["promotion_id"]
    assert at(APPROVER, "approvals", "grant", promotion).code == 0
    done = at(DEVELOPER, "promote", "execute", promotion, "--json").json
    assert (done["state"], done["success_count"]) == ("succeeded", 2)
    assert world.state("stage")["rows"]["rag_documents"]
    assert [each["state"] for each in at(DEVELOPER, "promote", "list", "--state", "succeeded", "--json").json]
    (twin,) = world.state("stage")["rows"]["rag_documents"]
    assert at(DEVELOPER, "promote", "lineage", twin, "--json").json[0]["source_id"] == str(document)

    services.people.revoke(DEVELOPER, "stage", SUPERADMIN, REASON)
    assert at(DEVELOPER, "promote", "rollback", promotion, "--preview").code == 0
    refused = at(DEVELOPER, "promote", "rollback", promotion, "--rehearse")
    assert (refused.code, "may not rehearse its rollback in stage" in refused.err) == (2, True), "it holds locks there"
    foreseen = at(APPROVER, "promote", "rollback", promotion, "--rehearse", "--json").json
    assert (foreseen["removed"], foreseen["rehearsed"]) == ({"rag_documents": 1, "stored_files": 1}, True)
    back = at(APPROVER, "promote", "rollback", promotion, *WHY, "--json").json
    assert back["state"] == "rolled_back"
    assert not world.state("stage")["rows"]["rag_documents"]
    assert at(APPROVER, "audit", "verify", "stage", "--json").json["holds"]


def test_a_restore_is_acknowledged(at: Wisqu, stack: Stack, services: Services) -> None:
    services.people.grant(DEVELOPER, "prod", "admin", SUPERADMIN, REASON)
    before = backup(stack, services.settings.environments["stage"].database.name)
    try:
        World(services).promote(World(services).document())
        before.restore()
    finally:
        before.forget()
    broken = at(APPROVER, "audit", "verify", "stage")
    assert (broken.code, "wisqu audit restored stage" in broken.out) == (1, True)
    assert at(DEVELOPER, "audit", "restored", "stage", *WHY).code == 2, "they are admin elsewhere"
    made = at(APPROVER, "audit", "restored", "stage", *WHY, "--json").json["restore"]
    assert len(made["promotions"]) == 1
    assert at(APPROVER, "audit", "confirm-restore", made["id"], *WHY).code == 2
    services.people.grant(DEVELOPER, "stage", "admin", SUPERADMIN, REASON)
    assert at(DEVELOPER, "audit", "confirm-restore", made["id"], *WHY).code == 0
    (listed,) = at(DEVELOPER, "audit", "restores", "stage", "--json").json
    assert (listed["reported_by"], listed["confirmed_by"]) == (APPROVER, DEVELOPER)
    assert at(APPROVER, "audit", "verify", "stage").code == 0


def test_cancelling_and_rejecting(at: Wisqu, services: Services) -> None:
    World(services).document()
    ids = [
        at(DEVELOPER, "promote", "preview", "rag_documents", "dev", "stage", "--reason", why, "--json").json
        for why in ("the first one", "the second one")
    ]
    first, second = (each["preview"]["promotion_id"] for each in ids)
    assert "is rejected" in at(DEVELOPER, "promote", "cancel", first, *WHY).out
    rejected = at(APPROVER, "approvals", "reject", second, *WHY, "--json").json
    assert rejected == {"done": "rejected", "promotion_id": second, "state": "rejected"}
    assert {each["state"] for each in at(DEVELOPER, "promote", "list", "--json").json} == {"rejected"}


def test_freezes(at: Wisqu, services: Services) -> None:
    promotion = planned(World(services))
    services.approvals.grant(promotion, ADMIN)
    at(APPROVER, "freeze", "add", "dev->stage", "--cron", "0 18 * * FRI", "--hours", 62, "--reason", "weekends")
    once = ("--from", "2020-01-01T00:00", "--until", "2099-01-01T00:00", "--time-zone", "Europe/Berlin")
    made = at(APPROVER, "freeze", "add", "dev->stage", *once, "--reason", "a long winter", "--json").json["freeze"]
    assert (made["when"], made["made_by"]) == ("2020-01-01 00:00 CET until 2099-01-01 00:00 CET", APPROVER)
    (weekends, winter) = at(DEVELOPER, "freeze", "list", "--json").json["freezes"]
    assert (weekends["cron"], weekends["duration_minutes"]) == ("0 18 * * FRI", 62 * 60)
    assert winter["freeze_id"] == made["freeze_id"]
    assert "frozen until 2099-01-01 00:00 CET (a long winter" in at(APPROVER, "promote", "execute", promotion).err
    assert "A second person" in at(APPROVER, "freeze", "override", promotion, *WHY).out
    assert at(APPROVER, "freeze", "override", promotion, *WHY).code == 2
    assert "goes in spite of the freeze" in at(DEVELOPER, "freeze", "override", promotion, *WHY).out
    assert at(APPROVER, "freeze", "end", made["freeze_id"], "--reason", "spring").code == 0
    assert at(APPROVER, "freeze", "list", "stage->prod", "--all", "--json").json["freezes"] == []
    assert len(at(APPROVER, "freeze", "list", "dev->stage", "--all", "--json").json["freezes"]) == 2
    nowhere = at(APPROVER, "freeze", "end", UUID(int=7), *WHY)
    assert (nowhere.code, "There is no freeze" in nowhere.err) == (2, True)


def test_held_paths(at: Wisqu, services: Services) -> None:
    promotion = planned(World(services))
    with services.control.begin() as session:
        FreezeService.hold(session, "dev->stage", promotion, "two points differ", services.clock.now())
    assert "two points differ" in at(DEVELOPER, "freeze", "list").out
    assert "open again" in at(DEVELOPER, "freeze", "release", "dev->stage", *WHY).out
    again = at(DEVELOPER, "freeze", "release", "dev->stage", *WHY)
    assert (again.code, "nothing holds it" in again.err) == (2, True)


def test_marks(at: Wisqu, services: Services) -> None:
    document = World(services).document()
    assert at(DEVELOPER, "promote", "mark-test-data", "rag_documents", document, *WHY).code == 0
    blocked = at(DEVELOPER, "promote", "approve", "rag_documents", document)
    assert (blocked.code, "test data" in blocked.err) == (2, True)
    (real,) = at(DEVELOPER, "promote", "mark-real", "rag_documents", document, "--json").json["items"]
    assert (real["id"], real["is_test_data"]) == (str(document), False)


def test_access_and_test_accounts(at: Wisqu) -> None:
    assert at(DEVELOPER, "access", "request", "prod", "--for", "4h", *WHY).code == 0
    (asked,) = at(DEVELOPER, "access", "list", "--json").json
    refused = at(APPROVER, "access", "grant", asked["id"])
    assert refused.code == 2, "an admin of stage lets nobody into prod"
    assert at(DEVELOPER, "access", "end", asked["id"], *WHY).code == 2, "it has not begun"
    made = at(DEVELOPER, "accounts", "create", "stage", *WHY, "--json").json
    assert made["created_by"] == DEVELOPER
    (listed,) = at(DEVELOPER, "accounts", "list", "stage", "--json").json
    assert listed["id"] == made["id"]
    assert at(DEVELOPER, "accounts", "delete", "stage", made["id"]).code == 0
    assert at(APPROVER, "access", "entries", "stage", "--json").json == []


def test_people(at: Wisqu, services: Services) -> None:
    new = "noor@example.org"
    made = at(APPROVER, "users", "create", new, "--password-stdin", *WHY, stdin=PASSWORD)
    assert made.code == 0, made.err
    assert PASSWORD not in made.out
    assert at(APPROVER, "users", "grant", new, "stage", "tester", *WHY).code == 0
    assert at(DEVELOPER, "users", "grant", new, "stage", "tester", *WHY).code == 2
    (known,) = [each for each in at(APPROVER, "users", "list", "--json").json if each["email"] == new]
    assert known["roles"] == {"stage": "tester"}
    assert at(APPROVER, "users", "password", new, *WHY).code == 0
    assert at(APPROVER, "users", "revoke", new, "stage", *WHY).code == 0
    disabled = at(APPROVER, "users", "disable", new, *WHY, "--json").json
    assert disabled == {"done": "disabled", "id": str(known["id"]), "email": new, "logins_ended": 0}
    assert at(APPROVER, "users", "enable", new, *WHY).code == 0
    assert at(APPROVER, "users", "disable", "nobody@example.org", *WHY).code == 2
    assert at(APPROVER, "users", "create", "first@example.org", "--first-superadmin").code == 2
    assert services.people.list()


def test_what_takes_the_stores_themselves_says_so(at: Wisqu, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = at(DEVELOPER, "storage", "audit", "dev")
    assert refused.code == 2
    assert server in refused.err
    assert "WISQU_SERVER" in refused.err
    monkeypatch.setenv("WISQU_SERVER", "")
    assert at(DEVELOPER, "storage", "audit", "dev").code == 0
    acting = at(DEVELOPER, "promote", "list", "--json")
    assert acting.code == 0
    monkeypatch.setenv("WISQU_SERVER", server)
    assert at(DEVELOPER, "access", "request", "prod", "--for", "4h", *WHY, "--as", ADMIN).code == 2


def test_ones_own_password_is_changed_there(at: Wisqu, server: str) -> None:
    wrong = at(DEVELOPER, "password", "--password-stdin", stdin=f"not it\n{PASSWORD} 2\n")
    assert (wrong.code, "not your present password" in wrong.err) == (2, True)
    changed = at(DEVELOPER, "password", "--password-stdin", "--json", stdin=f"{PASSWORD}\n{PASSWORD} 2\n").json
    assert (changed["done"], changed["logins_ended"]) == ("changed", 1)
    assert at(DEVELOPER, "whoami").code == 2
    again = at(DEVELOPER, "login", DEVELOPER, "--server", server, "--password-stdin", stdin=f"{PASSWORD} 2")
    assert again.code == 0, again.err


def test_logging_out_ends_it_there(at: Wisqu, services: Services, tmp_path: Path) -> None:
    file = tmp_path / DEVELOPER / "credentials.json"
    token = next(iter(json.loads(file.read_text())["logins"].values()))["access_token"]
    assert at(DEVELOPER, "whoami", "--json").json["email"] == DEVELOPER
    assert at(DEVELOPER, "logout").code == 0
    with pytest.raises(Exception, match="its login has ended"):
        services.identity.authenticate(token)
    assert at(DEVELOPER, "whoami").code == 2


def test_a_login_that_was_ended_elsewhere_says_so(at: Wisqu, services: Services) -> None:
    services.people.disable(DEVELOPER, SUPERADMIN, REASON)
    over = at(DEVELOPER, "promote", "list")
    assert over.code == 2
    assert "is over" in over.err


def test_a_server_that_is_away_fails(
    at: Wisqu, tmp_path: Path, free_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wisqu_pipelines.cli.remote.server.SECONDS_BETWEEN", 0)
    file = tmp_path / DEVELOPER / "credentials.json"
    content = json.loads(file.read_text())
    away = f"http://127.0.0.1:{free_tcp_port}"
    content = {"server": away, "logins": {away: next(iter(content["logins"].values()))}}
    file.write_text(json.dumps(content))
    failed = at(DEVELOPER, "promote", "list")
    assert failed.code == 1
    assert f"{away} cannot be reached" in failed.err
    monkeypatch.setenv("WISQU_SERVER", "https://elsewhere.example.org")
    assert "Nobody is logged in at https://elsewhere.example.org" in at(DEVELOPER, "promote", "list").err


@pytest.mark.parametrize("lost_at", [None, 0, 2])
def test_what_no_server_heard_is_not_said_to_have_been_done(
    lost_at: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wisqu_pipelines.cli.remote.server.SECONDS_BETWEEN", 0)
    kept = Kept("token", datetime.now(UTC), "token", DEVELOPER)
    monkeypatch.setattr("wisqu_pipelines.cli.credentials.usable", lambda *_: kept)
    attempts = count()

    def answer(request: httpx.Request) -> httpx.Response:
        if next(attempts) == lost_at:
            raise httpx.ReadTimeout("no answer", request=request)
        raise httpx.ConnectError("nobody there", request=request)

    server = Server("http://127.0.0.1:1", httpx.MockTransport(answer))
    with closing(server), pytest.raises(ServerUnavailable) as lost:
        server.post(dict[str, str], "/promotions")
    assert next(attempts) == ATTEMPTS
    assert isinstance(lost.value, ServerUnreachable) == (lost_at is None)
    assert ("may have been done" in str(lost.value)) == (lost_at is not None)


@pytest.mark.parametrize("address", ["http://wisqu.example.org", "wisqu.example.org", "ftp://127.0.0.1", "https://"])
def test_tokens_go_over_https_only(wisqu: Wisqu, address: str) -> None:
    refused = wisqu("login", DEVELOPER, "--server", address, "--password-stdin", stdin=PASSWORD)
    assert refused.code == 2
    with pytest.raises(BadInput):
        checked(address)
    assert checked("https://wisqu.example.org/") == "https://wisqu.example.org"


def test_of_many_commands_one_exchanges_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WISQU_CREDENTIALS", str(tmp_path / "credentials.json"))
    now, used = datetime.now(UTC), []
    who = Identity(uuid4(), DEVELOPER, None, uuid4(), ())

    def login(number: int, lasts: timedelta) -> Login:
        return Login(f"access {number}", now + lasts, f"refresh {number}", now + timedelta(days=1), who)

    def refresh(token: str) -> Login:
        used.append(token)
        time.sleep(0.05)  # long enough for the others to come
        return login(2, timedelta(minutes=10))

    credentials.keep("there", login(1, timedelta(minutes=-1)), at_server=True)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: credentials.usable("there", now, refresh).access_token, range(8)))
    assert used == ["refresh 1"]
    assert set(found) == {"access 2"}
    assert credentials.server() == "there"


def test_ids_are_read_as_ids(at: Wisqu) -> None:
    unknown = at(DEVELOPER, "promote", "status", UUID(int=7))
    assert unknown.code == 2
    assert "There is no promotion 00000000-0000-0000-0000-000000000007" in unknown.err


def test_what_does_not_pass_its_verification_at_the_server_fails_here_too(
    at: Wisqu, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(services)
    document = world.document()
    promotion = at(DEVELOPER, "promote", "preview", "rag_documents", "dev", "stage", "--json").json["preview"][
        "promotion_id"
    ]
    assert at(APPROVER, "approvals", "grant", promotion).code == 0
    real = Verification.run

    def spoiled(self: Verification, progress: Any) -> Any:
        world.change(world.twin(document), "stage", title="somebody was faster")
        return real(self, progress)

    monkeypatch.setattr(Verification, "run", spoiled)
    failed = at(APPROVER, "promote", "execute", promotion)
    assert failed.code == 1
    assert "did not pass its verification in stage, and it stays: rag_documents 'guide.md'" in failed.err


def test_sweeps(at: Wisqu, services: Services, tmp_path: Path) -> None:
    rows = Rows(services)
    document = rows.document(OLD)
    drawn = tmp_path / "dev.png"
    (dry,) = at(DEVELOPER, "cleanup", "--dry-run", "--environment", "dev", "--picture", drawn, "--json").json
    assert (dry["rows"], dry["is_dry_run"]) == (2, True)
    assert drawn.read_bytes().startswith(b"\x89PNG")
    every = at(DEVELOPER, "cleanup", "--dry-run", "--model", "rag_documents", "--model", "stored_files")
    assert all(f"{name}: a sweep would hide" in every.out for name in ("dev", "stage"))
    (here,) = wisqu_here(at, "cleanup", "--dry-run", "--environment", "dev", "--json")
    assert dry == here | {name: dry[name] for name in ("created_at", "digest")}
    policies = at(DEVELOPER, "cleanup", "policy", "--json").json
    assert {name: each["automatic"] for name, each in policies.items()} == {"dev": True, "stage": True}
    assert policies["dev"] == wisqu_here(at, "cleanup", "policy", "dev", "--json")["dev"]

    done, other = at(DEVELOPER, "cleanup", *WHY, "--json").json
    assert (done["environment"], other["environment"]) == ("dev", "stage"), "all that are cleaned up by themselves"
    sweep = done["sweep_id"]
    assert (done["state"], done["hidden"]) == ("hidden", 2)
    assert at(DEVELOPER, "cleanup", "list", "--limit", 7, "--json").json == wisqu_here(at, "cleanup", "list", "--json")
    for shown in (("--json",), ()):
        through = at(DEVELOPER, "cleanup", "items", sweep, *shown)
        assert (through.code, through.out) == (0, wisqu_here(at, "cleanup", "items", sweep, *shown, raw=True))
    other = at(DEVELOPER, "cleanup", "restore", sweep, "--item-ids", UUID(int=7), *WHY)
    assert (other.code, f"it has not swept {UUID(int=7)}" in other.err) == (2, True)
    back = at(DEVELOPER, "cleanup", "restore", sweep, "--item-ids", document.id, *WHY)
    assert back.out == "Given back: 2 rows; the sweep hides no others.\n"
    assert document.id in rows.visible(RagDocument)
    nowhere = at(DEVELOPER, "cleanup", "items", UUID(int=7))
    assert (nowhere.code, "There is no sweep" in nowhere.err) == (2, True)

    Rows(services, "prod").document(OLD)
    foreign = at(APPROVER, "cleanup", "--environment", "prod", *WHY)
    assert (foreign.code, "it takes one of" in foreign.err) == (2, True)
    asked = services.retention("prod").run(person=ADMIN, reason=REASON).sweep.sweep_id
    assert at(APPROVER, "cleanup", "approve", asked).code == 2
    services.people.grant(APPROVER, "prod", "admin", SUPERADMIN, REASON)
    approved = at(APPROVER, "cleanup", "approve", asked)
    assert (approved.code, "is approved" in approved.out) == (0, True), approved.err
    rejected = at(APPROVER, "cleanup", "reject", asked, *WHY)
    assert (rejected.code, "it is hiding" in rejected.err) == (2, True)


def test_holds_and_erasures(at: Wisqu, services: Services) -> None:
    person = a_person(services)
    with services.environments["dev"].database.begin() as session:
        address = session.get_one(User, person.id).email
    assert at(DEVELOPER, "hold", "place", "dev", "--user", address, *WHY).code == 2
    placed = at(APPROVER, "hold", "place", "dev", "--user", address, "--until", "2200-01-01", *WHY, "--json").json
    assert placed["rows"] == person.left()
    item = ("--type", "rag_documents", "--item", person.document.id, "--created-from", "2020-01-01")
    one = at(APPROVER, "hold", "place", "dev", *item, *WHY)
    assert "keeps 1 row of dev" in one.out
    assert at(DEVELOPER, "hold", "list", "dev", "--json").json == wisqu_here(at, "hold", "list", "dev", "--json")
    unknown = at(APPROVER, "hold", "place", "dev", "--user", "nobody@example.org", *WHY)
    assert (unknown.code, "no nobody@example.org among the users of dev" in unknown.err) == (2, True)
    for each in (placed["id"], one.out.split()[2]):
        assert at(APPROVER, "hold", "release", "dev", each, *WHY, "--json").json["released"]
    assert at(APPROVER, "hold", "release", "dev", placed["id"], *WHY).code == 2
    assert at(APPROVER, "hold", "release", "dev", UUID(int=7), *WHY).code == 2

    preview = ("erasure", "preview", "dev", person.id, "--json")
    assert at(APPROVER, *preview).json == wisqu_here(at, *preview)
    assert at(DEVELOPER, *preview).code == 2
    own = at(APPROVER, "erasure", "request", "dev", person.id, "--reason", CASE, "--json").json["id"]
    assert at(APPROVER, "erasure", "approve", own).code == 2
    assert at(APPROVER, "erasure", "reject", own, *WHY).code == 0
    asked = services.erasures.request("dev", person.id, ADMIN, CASE).id
    assert "wisqu erasure run" in at(APPROVER, "erasure", "approve", asked).out
    assert at(APPROVER, "erasure", "certificate", asked).code == 2
    restore = person.saved()
    assert "is done: 6 rows" in at(APPROVER, "erasure", "run", asked).out
    certificate = at(APPROVER, "erasure", "certificate", asked).json
    assert certificate == wisqu_here(at, "erasure", "certificate", asked)
    restore()
    assert at(APPROVER, "erasure", "reapply", "dev", "--json").json[0]["rows"] == 6
    listed = at(APPROVER, "erasure", "list", "--json").json
    assert [each["state"] for each in listed] == ["done", "rejected"]
    assert listed == wisqu_here(at, "erasure", "list", "--json")
    services.people.grant(APPROVER, "stage", "developer", SUPERADMIN, REASON)
    assert at(APPROVER, "erasure", "list", "--json").json == listed, "those of dev"
    assert at(DEVELOPER, "erasure", "list").code == 2
    missing = at(APPROVER, "erasure", "run", UUID(int=7), "--json")
    assert (missing.code, "may not do that in stage" in missing.err) == (2, True), "it may be there"
    services.people.grant(APPROVER, "stage", "admin", SUPERADMIN, REASON)
    missing = at(APPROVER, "erasure", "run", UUID(int=7))
    assert (missing.code, "There is no erasure" in missing.err) == (2, True)


def wisqu_here(at: Wisqu, *arguments: object, raw: bool = False) -> Any:
    """What a command says where the stores are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WISQU_SERVER", "")
        here = at(APPROVER, *arguments)
    return here.out if raw else here.json
