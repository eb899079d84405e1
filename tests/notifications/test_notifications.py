"""What people are told: written down at once, sent later, once an hour for the same cause, and never a secret."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.errors import BadSettings, UnknownTarget
from wisqu_pipelines.notifications.events import DEFAULT, Event, words
from wisqu_pipelines.notifications.service import ATTEMPTS, NotificationService
from wisqu_pipelines.settings import NotificationSettings, NotificationTarget, NotificationTemplate, Settings
from wisqu_pipelines.storage.apprise_messenger import AppriseMessenger
from wisqu_pipelines.storage.memory import ManualClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILED = {"job": "promotion_execute", "error": "The disk is full.", "link": "http://ui/runs/1"}


@dataclass
class Inbox:
    """A messenger that keeps what it is given."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)
    takes: Callable[[str], bool] = lambda url: True

    def send(self, url: str, title: str, body: str) -> bool:
        if not self.takes(url):
            return False
        self.sent.append((url, title, body))
        return True


@dataclass
class World:
    service: NotificationService
    inbox: Inbox
    clock: ManualClock

    def post(self, cause: str = "one", **more: Any) -> bool:
        return self.service.post(Event.RUN_FAILED, cause, **{**FAILED, **more}) is not None


Make = Callable[..., World]


@pytest.fixture
def make(services: Services) -> Make:
    def made(
        *, nobody: bool = False, templates: dict[str, NotificationTemplate] | None = None, **targets: NotificationTarget
    ) -> World:
        usual = {} if nobody else {"ops": target("ops://")}
        settings = told(services.settings, targets or usual, templates)
        inbox, clock = Inbox(), ManualClock(START)
        return World(NotificationService(services.control, settings, inbox, clock), inbox, clock)

    return made


def target(url: str, *events: str) -> NotificationTarget:
    return NotificationTarget(url=SecretStr(url), events=events)


def told(
    settings: Settings,
    targets: dict[str, NotificationTarget],
    templates: dict[str, NotificationTemplate] | None = None,
) -> Settings:
    return settings.model_copy(
        update={"notifications": NotificationSettings(targets=targets, templates=templates or {})}
    )


def test_a_message_is_sent_once_to_each_target_that_wants_it(make: Make) -> None:
    world = make(ops=target("ops://"), audit=target("audit://", "audit_broken"), runs=target("runs://", "run_failed"))
    assert world.post()
    assert world.inbox.sent == [], "whoever writes one waits for nobody"
    assert world.service.deliver() == (1, [])
    assert world.service.deliver() == (0, [])
    assert sorted(url for url, _, _ in world.inbox.sent) == ["ops://", "runs://"]
    (_, title, body), *_ = world.inbox.sent
    assert (title, body) == ("promotion_execute failed", "The disk is full.\n\nThe run: http://ui/runs/1")


def test_the_same_cause_is_told_once_an_hour(make: Make) -> None:
    world = make()
    assert world.post("one")
    assert world.post("another")
    for _ in range(3):
        assert not world.post("one", error="The disk is full again.")
    world.service.deliver()
    assert len(world.inbox.sent) == 2
    assert sorted("happened again since: 3 times." in body for _, _, body in world.inbox.sent) == [False, True]
    world.clock.advance(timedelta(minutes=60))
    assert world.post("one")


def test_of_many_at_once_one_is_written(make: Make) -> None:
    world = make()
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: world.post(), range(24))) == 1


def test_a_message_that_comes_once_never_comes_again(make: Make) -> None:
    world = make()
    assert world.post(once=True)
    world.clock.advance(timedelta(days=30))
    assert not world.post(once=True)
    assert [each.repeats for each in world.service.list()] == [0], "looking again is no repeat"


def test_a_target_that_is_away_gets_it_later_and_the_others_not_again(make: Make) -> None:
    world = make(ops=target("ops://"), mail=target("mail://"))
    world.inbox.takes = lambda url: url == "ops://"
    world.post()
    assert world.service.deliver() == (0, ["promotion_execute failed: not taken by mail"])
    assert world.service.deliver() == (0, []), "not before a minute has passed"
    world.clock.advance(timedelta(minutes=1))
    world.inbox.takes = lambda url: True
    assert world.service.deliver() == (1, [])
    assert [url for url, _, _ in world.inbox.sent] == ["ops://", "mail://"]
    (message,) = world.service.list()
    assert (message.delivered_to, message.next_attempt_at, message.error) == (["ops", "mail"], None, None)


def test_it_is_given_up_after_some_attempts(make: Make) -> None:
    world = make()
    world.inbox.takes = lambda url: False
    world.post()
    for _ in range(ATTEMPTS + 2):
        world.service.deliver()
        world.clock.advance(timedelta(hours=1))
    (message,) = world.service.list()
    assert (message.attempts, message.next_attempt_at, message.delivered_to) == (ATTEMPTS, None, [])
    assert message.error == "not taken by ops"


def test_the_first_target_gets_what_waited_less_than_a_day(make: Make) -> None:
    before, world = make(nobody=True), make()
    before.post("old", job="of yesterday")
    before.clock.advance(timedelta(hours=23))
    before.post("new", job="of today")
    assert before.service.deliver() == (0, []), "nobody was told"
    before.clock.advance(timedelta(hours=2))
    assert before.service.deliver() == (0, [])
    world.clock.advance(timedelta(hours=25))
    assert world.service.deliver() == (1, [])
    assert [title for _, title, _ in world.inbox.sent] == ["of today failed"]
    old = next(each for each in world.service.list() if "yesterday" in each.title)
    assert (old.next_attempt_at, old.delivered_to, old.error) == (None, [], "there was no target for a day")


def test_a_crash_while_sending_sends_again(make: Make) -> None:
    world = make()

    def crash(url: str) -> bool:
        raise KeyboardInterrupt

    world.post()
    world.inbox.takes = crash
    with pytest.raises(KeyboardInterrupt):
        world.service.deliver()
    world.inbox.takes = lambda url: True
    assert world.service.deliver() == (1, [])


def test_two_deliveries_at_once_send_a_message_once(make: Make) -> None:
    world = make()
    world.post()
    asked: list[str] = []

    def takes(url: str) -> bool:
        if not asked:
            asked.append(url)
            world.service.deliver()
        return True

    world.inbox.takes = takes
    world.service.deliver()
    assert len(world.inbox.sent) == 1


def test_what_is_for_one_person_goes_to_what_reaches_people(make: Make) -> None:
    world = make(ops=target("ops://"), mail=target("mailto://host?to={address}"))
    world.post("personal", address="dana+x@demo.wisqu.com")
    world.post("general")
    world.service.deliver()
    assert {url for url, _, _ in world.inbox.sent} == {"mailto://host?to=dana%2Bx%40demo.wisqu.com", "ops://"}
    only = make(ops=target("ops://"))
    only.post("no mail", address="dana@demo.wisqu.com")
    only.service.deliver()
    assert [url for url, _, _ in only.inbox.sent] == ["ops://"]


def test_no_secret_is_written_or_sent(make: Make, services: Services) -> None:
    secret = services.settings.environments["prod"].database.password.get_secret_value()
    world = make()
    world.post(error=f"cannot enter postgresql://wisqu:hunter2222@host with {secret} and Bearer abcdef.ghi")
    world.service.deliver()
    (message,) = world.service.list()
    for text in (message.body, world.inbox.sent[0][2]):
        assert secret not in text
        assert "hunter2222" not in text
        assert "abcdef" not in text
        assert text.count("[redacted]") == 3


def test_own_words(make: Make) -> None:
    world = make(templates={"run_failed": NotificationTemplate(title="$job!", body="$$5 on $error")})
    world.post()
    world.service.deliver()
    assert world.inbox.sent == [("ops://", "promotion_execute!", "$5 on The disk is full.")]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (NotificationSettings(templates={"moon": NotificationTemplate(title="a", body="b")}), "no event moon"),
        (NotificationSettings(targets={"ops": target("ops://", "moon")}), "no event moon"),
        (NotificationSettings(templates={"stale": NotificationTemplate(title="$who", body="b")}), "names who"),
        (NotificationSettings(templates={"stale": NotificationTemplate(title="5$", body="b")}), "is no template"),
    ],
)
def test_words_that_cannot_be_used_are_refused(settings: NotificationSettings, said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        words(settings)


def test_every_event_has_words() -> None:
    assert set(DEFAULT) == set(Event)


def test_a_test_reaches_the_targets_at_once(make: Make) -> None:
    world = make(ops=target("ops://"), mail=target("mail://"))
    world.inbox.takes = lambda url: url == "ops://"
    assert world.service.test("dana@demo.wisqu.com") == {"ops": True, "mail": False}
    assert world.service.test("dana@demo.wisqu.com", "ops") == {"ops": True}
    with pytest.raises(UnknownTarget, match="mail"):
        world.service.test("dana@demo.wisqu.com", "moon")


# The real messenger


@dataclass
class Hook:
    """A web server that takes messages."""

    url: str
    status: int = 200
    taken: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Nothing on the screen."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"json://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def test_a_webhook_gets_it_as_it_is(hook: Hook) -> None:
    body = "A line.\n\n<b>1 & 2</b> نص"
    assert AppriseMessenger().send(hook.url, "A title", body)
    (got,) = hook.taken
    assert (got["title"], got["message"]) == ("A title", body)


def test_a_webhook_that_says_no_or_is_away_has_not_taken_it(hook: Hook) -> None:
    hook.status = 500
    assert not AppriseMessenger().send(hook.url, "A title", "A body")
    assert not AppriseMessenger().send("json://127.0.0.1:1/hook", "A title", "A body")


def test_an_address_that_means_nothing_is_refused_without_being_repeated() -> None:
    with pytest.raises(BadSettings) as refused:
        AppriseMessenger().send("nonsense://secret@host", "A title", "A body")
    assert "secret" not in str(refused.value)
