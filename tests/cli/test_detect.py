"""`wisqu detect …` and `wisqu promote scan-test-data`: what they print, ask for, and how they exit."""

import json

import pytest

from tests.cli.conftest import Wisqu
from tests.detection.rows import add, file, get
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import StoredFile

DANA = ("--as", "dana@demo.wisqu.com")


@pytest.mark.parametrize(
    ("text", "decision"),
    [("John Doe", "test"), ("Test cricket", "real"), ("تفسیر نمونه", "real"), ("sample", "review")],
)
@pytest.mark.usefixtures("services")
def test_a_text_is_judged_and_explained(wisqu: Wisqu, text: str, decision: str) -> None:
    told = wisqu("detect", "text", text, "--json")
    assert told.code == 0, told.err
    assert told.json["decision"] == decision
    if decision != "real":
        assert told.json["evidence"][0]["explanation"]
        shown = wisqu("detect", "text", text)
        assert decision in shown.out
        assert "What speaks for it" in shown.out


def test_from_a_dry_run_to_a_decision(wisqu: Wisqu, services: Services) -> None:
    junk, maybe, real = add(services, file("test upload 3.md"), file("sample of cloth 7, mock.md"), file("zakat.md"))
    with services.environments["dev"].database.begin() as session:
        session.get_one(StoredFile, maybe).promotion_status = "approved"
        session.get_one(StoredFile, maybe).filename = "dummy.md"
    dry = wisqu("promote", "scan-test-data", "dev", "stored_files", "--dry-run", "--json")
    assert dry.code == 0, dry.err
    assert [dry.json[name] for name in ("scanned", "marked_as_test", "to_review", "dry_run")] == [3, 1, 1, True]
    assert not get(services, StoredFile, junk).is_test_data
    done = wisqu("promote", "scan-test-data", "dev", "stored_files")
    assert "1 marked" in done.out
    assert "test upload 3.md" in done.out
    assert get(services, StoredFile, junk).is_test_data
    waiting = wisqu("detect", "review", "dev", "--json")
    assert [each["item_id"] for each in json.loads(waiting.out)["items"]] == [str(maybe)]
    assert "dummy.md" in wisqu("detect", "review", "dev").out
    for arguments, words in (
        ((str(maybe), "--test"), "--as PERSON"),
        ((str(maybe), *DANA), "--test or --real"),
        ((str(real), "--real", *DANA), "waits for a review"),
        (("nonsense", "--real", *DANA), "is no id"),
        (("--real",), "name the item"),
    ):
        refused = wisqu("detect", "review", "dev", *arguments)
        assert refused.code == 2, arguments
        assert words in " ".join(refused.err.split()), refused.err
    decided = wisqu("detect", "review", "dev", str(maybe), "--real", *DANA, "--reason", "a brand of cloth", "--json")
    told = {"done": "decided", "environment": "dev", "item_id": str(maybe), "is_test_data": False}
    assert decided.json == told
    assert wisqu("promote", "scan-test-data", "dev", "--full", "--json").json["to_review"] == 0
    assert wisqu("promote", "mark-real", "stored_files", str(junk), *DANA).code == 0
    assert not get(services, StoredFile, junk).is_test_data


@pytest.mark.usefixtures("services")
def test_bad_input_is_told_from_the_start(wisqu: Wisqu) -> None:
    for arguments, words in (
        (("promote", "scan-test-data", "moon"), "no environment 'moon'"),
        (("promote", "scan-test-data", "dev", "planets"), "no item type 'planets'"),
        (("promote", "scan-test-data", "dev", "--month", "May"), "it is written like 2026-11"),
        (("detect", "patterns", "--add", "(", "--reason", "x", *DANA), "does not compile"),
        (("detect", "patterns", "--add", "x", *DANA), "the reason"),
        (("detect", "remove", "00000000-0000-0000-0000-000000000000", "--reason", "x", *DANA), "no pattern, exception"),
        (("detect", "learn", *DANA), "0 marks of test data"),
    ):
        refused = wisqu(*arguments)
        assert refused.code == 2, arguments
        assert words in " ".join(refused.err.split()), refused.err


@pytest.mark.usefixtures("services")
def test_rules_come_and_go(wisqu: Wisqu) -> None:
    added = wisqu("detect", "patterns", "--add", "zeta-[0-9]+", "--reason", "our robot", *DANA, "--json").json
    (rule,) = wisqu("detect", "patterns", "--json").json
    assert added == {"done": "added", "rule_id": rule["rule_id"]}
    assert (rule["phrase"], rule["given_by"]) == ("zeta-[0-9]+", "dana@demo.wisqu.com")
    assert wisqu("detect", "text", "zeta-7", "--json").json["decision"] == "test"
    assert wisqu("detect", "exceptions", "--add", "zeta-7", "--reason", "a product", *DANA, "--json").json["rule_id"]
    assert wisqu("detect", "text", "zeta-7", "--json").json["decision"] == "real"
    removed = wisqu("detect", "remove", rule["rule_id"], "--reason", "gone", *DANA, "--json").json
    assert removed == {"done": "removed", "rule_id": rule["rule_id"]}
    assert wisqu("detect", "patterns", "--json").json == []
    assert wisqu("detect", "proposals", "--json").json == []
    assert wisqu("detect", "models", "--json").json == []
    off = wisqu("detect", "models", "--off", "--reason", "none is good", *DANA, "--json").json
    assert off == {"done": "switched off", "version": None}
