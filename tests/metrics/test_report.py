"""The report: one page that says what the databases say, and in which text from outside stays text."""

import re
from html.parser import HTMLParser

import pytest

from tests.metrics.conftest import EVIL, MARKED, Counted
from tests.retention.conftest import OLD, Rows
from wisqu_pipelines.errors import StoreUnavailable
from wisqu_pipelines.metrics.page import render
from wisqu_pipelines.metrics.report import Report, collect
from wisqu_pipelines.metrics.service import MetricsService

VOID = {"meta"}


class Page(HTMLParser):
    """The elements, the text, and whether every element that is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def checked(page: str) -> Page:
    """The page, which loads nothing and runs nothing."""
    read = Page(page)
    assert not read.open
    assert not read.tags & {"script", "img", "link", "iframe", "object", "form", "a", "base"}
    assert not {each for each in read.attributes if each.startswith("on")} | (read.attributes & {"href", "src"})
    assert not re.search(r"url\(|@import|https?://", page)
    return read


def test_an_empty_world_has_a_report(counted: Counted) -> None:
    report = collect(counted.services.metrics, 7)
    page = checked(render(report))
    assert "promotions planned" in page.text
    assert "No day's snapshot has been taken yet." in page.text
    assert not report.missing


def test_it_says_what_the_databases_say_and_escapes_it(counted: Counted, dev: Rows) -> None:
    counted.promotion("succeeded", duration_seconds=90.0, items=[{}, {"bytes": 2048}])
    counted.promotion("failed", 2)
    counted.promotion("failed", 9)
    counted.file(is_test_data=True, test_data_reason=MARKED)
    dev.document(OLD)
    dev.retention.run()
    counted.account(counted.person(), 3)
    counted.entered(counted.person(), reason=f"{EVIL} & \u202eevil", details={"role": "developer"})
    counted.did(counted.person(), EVIL, reason="<img src=x onerror=alert(1)>")
    counted.services.metrics.take("storage", "dev")
    whole = render(collect(counted.services.metrics, 7))
    page = checked(whole)
    assert EVIL in page.text
    assert "<img src=x onerror=alert(1)>" in page.text
    assert "\u202e" not in whole
    assert "secret@person.org" not in page.text
    for told in ("dev->stage", "50%", "2.1 kB", "emails", "dana@demo.wisqu.com"):
        assert told in page.text, told
    assert whole.count("<svg") == 4  # promotions by day, what was promoted, test data, files by day
    figures = {name: value for value, name in re.findall(r"class='figure'><b>([^<]*)</b><span>([^<]*)</span>", whole)}
    assert figures == {
        "promotions planned": "2",
        "of those carried out stand": "50%",
        "items promoted": "2",
        "rows of test data": "1",
        "of files": "46 B",
        "rows purged": "0",
    }


def test_an_environment_that_does_not_answer_is_named(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    real = MetricsService.rows

    def rows(self: MetricsService, name: str, environment: str | None = None, **more: int) -> object:
        if environment == "stage":
            raise StoreUnavailable(store="database wisqu_stage", operation="read", cause="<down>")
        return real(self, name, environment, **more)

    monkeypatch.setattr(MetricsService, "rows", rows)
    report: Report = collect(counted.services.metrics, 7)
    assert set(report.missing) == {"stage"}
    page = checked(render(report))
    assert "Not read" in page.text
    assert "(read): <down>" in page.text
    assert {row["environment"] for row in report.rows["storage"]} == {"dev", "prod"}
