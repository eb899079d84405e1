"""What an entrance knows of the identity service, and what it does when it hears nothing of it."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from joserfc.jwk import OKPKey

from tests.entry.sample import Doors, get
from wisqu_pipelines.entry.feed import IdentityFeed, LocalFeed
from wisqu_pipelines.errors import FeedStale
from wisqu_pipelines.identity.keys import KeyRing
from wisqu_pipelines.identity.service import Cutoff
from wisqu_pipelines.storage.memory.clock import ManualClock

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PERSON = UUID(int=7)
ISSUER = "https://auth.wisqu.com"


class Service:
    """An identity service that says what it is told to, and counts who asks."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self.cutoffs: list[dict[str, str]] = []
        self.answers: dict[str, httpx.Response | Exception] = {}
        """What it says instead, by the end of the path."""
        self.asked: list[str] = []

    def feed(self, clock: ManualClock, every: timedelta = timedelta(seconds=20)) -> IdentityFeed:
        return IdentityFeed(ISSUER, "dev", httpx.Client(transport=httpx.MockTransport(self._answer)), every, clock)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        name = request.url.path.rpartition("/")[2]
        instead = self.answers.get(name)
        if isinstance(instead, Exception):
            raise instead
        said: dict[str, Any] = {"jwks.json": self.ring.jwks(), "cutoffs": {"cutoffs": self.cutoffs}}
        return instead or httpx.Response(200, json=said[name])


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    ring = KeyRing(tmp_path, "environment-dev")
    ring.ensure(NOW)
    return Service(ring)


def kids(feed: IdentityFeed) -> list[str | None]:
    return [each.kid for each in feed.keys().keys]


def test_it_asks_the_identity_service_for_its_own_environment(service: Service, clock: ManualClock) -> None:
    feed = service.feed(clock)

    assert feed.refresh()

    assert service.asked == [f"{ISSUER}/v1/environments/dev/{each}" for each in ("jwks.json", "cutoffs")]
    assert kids(feed) == [each["kid"] for each in service.ring.jwks()["keys"]]


def test_cutoffs_are_by_person_and_exact(service: Service, clock: ManualClock) -> None:
    service.cutoffs = [{"user_id": str(PERSON), "not_before": "2026-05-01T11:59:00.123456Z"}]
    feed = service.feed(clock)
    feed.refresh()

    assert feed.not_before(PERSON) == datetime(2026, 5, 1, 11, 59, 0, 123456, UTC)
    assert feed.not_before(UUID(int=1)) is None


def test_what_was_heard_counts_for_a_minute_and_no_longer(service: Service, clock: ManualClock) -> None:
    feed = service.feed(clock)
    with pytest.raises(FeedStale):
        feed.keys()
    feed.refresh()
    service.answers["cutoffs"] = httpx.ConnectError("down")

    clock.advance(timedelta(seconds=60))
    assert not feed.refresh()
    assert kids(feed)
    clock.advance(timedelta(microseconds=1))
    for ask in (feed.keys, lambda: feed.not_before(PERSON)):
        with pytest.raises(FeedStale, match="older than 60 s: the identity service gave no usable answer"):
            ask()

    service.answers.clear()
    assert feed.refresh()
    assert kids(feed)


def test_a_clock_that_is_set_back_makes_no_answer_good_for_longer(service: Service, clock: ManualClock) -> None:
    feed = service.feed(clock)
    feed.refresh()

    clock.advance(timedelta(seconds=-61))

    with pytest.raises(FeedStale):
        feed.keys()


@pytest.mark.parametrize("name", ["jwks.json", "cutoffs"])
@pytest.mark.parametrize(
    "instead",
    [
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(404, json={"keys": [], "cutoffs": []}),
        httpx.Response(302, headers={"Location": "https://elsewhere.example.org/"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"keys": [], "cutoffs": [{"user_id": str(PERSON)}]}),
        httpx.Response(200, json={"keys": [{"kty": "oct", "k": "c2VjcmV0"}], "cutoffs": None}),
        httpx.Response(200, json={"keys": [{"kid": "x"}], "cutoffs": [{"user_id": "me", "not_before": "now"}]}),
        httpx.Response(
            200,
            json={
                "keys": [OKPKey.generate_key("Ed25519").as_dict(private=False)],
                "cutoffs": [{"user_id": str(PERSON), "not_before": "2026-05-01T11:59:00"}],
            },
        ),
    ],
)
def test_an_answer_that_is_not_as_it_must_be_changes_nothing(
    service: Service, clock: ManualClock, name: str, instead: httpx.Response | Exception
) -> None:
    service.cutoffs = [{"user_id": str(PERSON), "not_before": "2026-05-01T11:59:00Z"}]
    feed = service.feed(clock)
    feed.refresh()
    keys = feed.keys()
    service.answers[name] = instead

    assert not feed.refresh()

    assert feed.keys() is keys
    assert feed.not_before(PERSON) == NOW - timedelta(minutes=1)
    assert not any("elsewhere" in each for each in service.asked)


def test_the_key_set_is_the_same_object_while_it_is_the_same(service: Service, clock: ManualClock) -> None:
    feed = service.feed(clock)
    feed.refresh()
    keys = feed.keys()
    feed.refresh()
    assert feed.keys() is keys

    service.ring.rotate(NOW)
    feed.refresh()
    assert feed.keys() is not keys
    assert len(kids(feed)) == 2


def test_it_asks_on_by_itself_until_it_is_closed(service: Service, clock: ManualClock) -> None:
    feed = service.feed(clock, timedelta(milliseconds=20))
    feed.start()
    feed.start()
    assert kids(feed), "the first answer is waited for"
    assert [each.name for each in threading.enumerate()].count("feed dev") == 1

    new = service.ring.rotate(NOW)
    deadline = time.monotonic() + 10
    while new not in kids(feed):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    feed.close()
    asked = len(service.asked)
    time.sleep(0.1)

    assert len(service.asked) == asked
    assert [each.name for each in threading.enumerate()].count("feed dev") == 0
    feed.start()
    assert len(service.asked) > asked, "it can be started again"
    feed.close()


def test_it_asks_no_more_often_than_it_must(service: Service, clock: ManualClock) -> None:
    feed = service.feed(clock)
    feed.start()
    for _ in range(100):
        feed.keys()
        feed.not_before(PERSON)
    feed.close()

    assert len(service.asked) == 2


def test_a_service_that_is_down_at_the_start_is_waited_for_by_nobody(service: Service, clock: ManualClock) -> None:
    service.answers["jwks.json"] = httpx.ConnectError("down")
    feed = service.feed(clock, timedelta(milliseconds=20))
    feed.start()
    with pytest.raises(FeedStale):
        feed.keys()

    service.answers.clear()
    deadline = time.monotonic() + 10
    while not feed.refresh():
        assert time.monotonic() < deadline
    assert kids(feed)
    feed.close()


def test_a_local_feed_says_the_latest_of_a_persons_cutoffs(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path, "environment-dev")
    ring.ensure(NOW)
    feed = LocalFeed(ring, lambda: [Cutoff(PERSON, NOW), Cutoff(PERSON, NOW - timedelta(1)), Cutoff(UUID(int=1), NOW)])

    assert feed.not_before(PERSON) == NOW
    assert feed.not_before(UUID(int=2)) is None
    assert feed.keys() is feed.keys()


def test_while_the_service_is_silent_nobody_is_let_in_and_afterwards_everybody_is(doors: Doors) -> None:
    service = Service(doors.ring("dev"))
    feed = service.feed(doors.clock)
    app, token = doors.app("dev", feed), doors.signed("dev")
    assert get(app, "/me", token).status_code == 200, "the first request starts it"

    service.answers["cutoffs"] = httpx.ConnectError("down")
    doors.clock.advance(timedelta(seconds=59))
    assert get(app, "/me", token).status_code == 200
    doors.clock.advance(timedelta(seconds=2))
    silent = get(app, "/me", token)
    assert silent.status_code == 503
    assert silent.headers["content-type"] == "application/problem+json"
    assert silent.headers["retry-after"]
    assert silent.json() == {
        "type": "urn:wisqu:problem:EntryUnavailable",
        "title": "EntryUnavailable",
        "status": 503,
        "detail": "Whether the token is valid cannot be told right now; try again later.",
    }
    assert get(app, "/open").status_code == 200, "who brings no token needs no answer"

    service.answers.clear()
    feed.refresh()
    assert get(app, "/me", token).status_code == 200
    feed.close()


def test_a_cutoff_that_the_service_tells_voids_what_is_in_use(doors: Doors) -> None:
    service = Service(doors.ring("dev"))
    feed = service.feed(doors.clock)
    app, token = doors.app("dev", feed), doors.signed("dev")
    assert get(app, "/me", token).status_code == 200

    doors.clock.advance(timedelta(seconds=1))
    service.cutoffs = [{"user_id": str(PERSON), "not_before": doors.clock.now().isoformat()}]
    doors.clock.advance(timedelta(seconds=1))
    feed.refresh()

    assert get(app, "/me", token).status_code == 401
    assert get(app, "/me", doors.signed("dev")).status_code == 200, "who logs in again"
    feed.close()
