"""`wisqu notifications`."""

import pytest

from tests.cli.conftest import Wisqu
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.notifications.events import Event


def test_messages_are_listed_and_delivered(services: Services, wisqu: Wisqu, monkeypatch: pytest.MonkeyPatch) -> None:
    services.notifications.post(Event.RUN_FAILED, "one", job="promotion_execute", error="[red] alert", link="x")
    (message,) = wisqu("notifications", "list", "--json").json
    assert (message["title"], message["delivered_to"]) == ("promotion_execute failed", [])
    assert "waits" in wisqu("notifications", "list").out
    monkeypatch.setenv("WISQU_NOTIFICATIONS__TARGETS__OPS__URL", "json://user:hunter22@127.0.0.1:1/hook")
    tried = wisqu("notifications", "deliver")
    assert (tried.code, "not taken by ops" in tried.out, "hunter22" in tried.out) == (1, True, False)
    (message,) = wisqu("notifications", "list", "--json").json
    assert message["attempts"] == 1


def test_targets_are_tried(services: Services, wisqu: Wisqu, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "There are no targets" in wisqu("notifications", "test").out
    assert "the settings have: none." in wisqu("notifications", "test", "moon").err
    monkeypatch.setenv("WISQU_NOTIFICATIONS__TARGETS__OPS__URL", "json://127.0.0.1:1/hook")
    tried = wisqu("notifications", "test", "ops")
    assert (tried.code, "not taken" in tried.out) == (1, True)
    unknown = wisqu("notifications", "test", "moon")
    assert (unknown.code, "There is no notification target 'moon'" in unknown.err) == (2, True)
