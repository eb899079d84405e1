"""`wisqu cleanup` and `wisqu hold`, as people use them."""

import json
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import update

from tests.cli.conftest import Ran, Wisqu
from tests.erasure.conftest import a_person
from tests.retention.conftest import OLD, Rows
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import RagDocument, StoredFile, User
from wisqu_pipelines.holds.service import Held
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN, TESTER
from wisqu_pipelines.retention.models import Sweep, SweepState

WHY = ("--reason", "Cleaning up after the spring release")


@pytest.fixture
def rows(services: Services) -> Rows:
    return Rows(services)


def unwrapped(ran: Ran) -> str:
    """What it printed, without the ends of the terminal's lines."""
    return " ".join(ran.out.split())


def test_from_the_dry_run_to_the_restoring(wisqu: Wisqu, rows: Rows) -> None:
    document = rows.document(OLD)
    rows.document(OLD, promotion_status="approved")
    told = wisqu("cleanup", "--dry-run", "--environment", "dev", "--json")
    (dry,) = told.json
    assert (dry["is_dry_run"], dry["rows"], dry["sweep_id"]) == (True, 2, None)
    assert dry["types"]["rag_documents"]["stays"] == {"approved for promotion": 1}
    shown = wisqu("cleanup", "--dry-run")
    assert shown.code == 0
    assert all(f"{name}: a sweep would hide" in shown.out for name in ("dev", "stage"))
    assert "prod: a sweep would ask to hide" in shown.out
    assert "Nothing goes from prod by itself" in shown.out

    done = wisqu("cleanup", "--environment", "dev", "--as", DEVELOPER)
    assert done.code == 0, done.err
    assert "is hidden: 2 rows, which a run after" in unwrapped(done)
    (sweep,) = wisqu("cleanup", "list", "dev", "--json").json
    assert (sweep["hidden"], sweep["state"]) == (2, "hidden")
    assert "There are no sweeps of stage." in wisqu("cleanup", "list").out
    listed = wisqu("cleanup", "items", sweep["sweep_id"], "--json").json
    assert {each["item_type"] for each in listed["items"]} == {"rag_documents", "stored_files"}
    back = wisqu("cleanup", "restore", sweep["sweep_id"], "--item-ids", document.id, *WHY, "--as", DEVELOPER)
    assert back.out == "Given back: 2 rows; the sweep hides no others.\n"
    for listing in (wisqu("cleanup", "list", "dev"), wisqu("cleanup", "items", sweep["sweep_id"])):
        assert all(said in unwrapped(listing) for said in ("rejected", WHY[1])), "it was not purged, and says why"
    assert document.id in rows.visible(RagDocument)
    assert "Nothing is due" in wisqu("cleanup", "--environment", "stage").out
    (nothing,) = wisqu("cleanup", "--environment", "stage", "--json").json
    assert (nothing["rows"], nothing["sweep_id"], nothing["state"]) == (0, None, None)


def test_a_sweep_says_what_waits_for_the_end_of_a_hold(wisqu: Wisqu, rows: Rows) -> None:
    document = rows.document(OLD)
    sweep = wisqu("cleanup", "--environment", "dev", "--json").json[0]["sweep_id"]
    rows.services.holds("dev").place(ADMIN, Held("rag_documents", document.id), WHY[1])
    rows.end_grace(UUID(sweep))
    for command in (("--dry-run", "--environment", "dev"), ("--environment", "dev"), ("list", "dev"), ("items", sweep)):
        assert "2 wait (under a legal hold: 1, something" in unwrapped(wisqu("cleanup", *command)), command
    (told,) = wisqu("cleanup", "list", "dev", "--json").json
    assert told["waits"] == {"under a legal hold": 1, "something that stays belongs to it": 1}
    listed = unwrapped(wisqu("cleanup", "items", sweep))
    assert "wisqu hold list dev" in listed
    assert listed.count("under a legal hold") == 2, "the item's line says so as well"


def interrupted(wisqu: Wisqu, rows: Rows, left: RagDocument) -> str:
    """A sweep whose run has ended before it came to a document and its file."""
    sweep = str(wisqu("cleanup", "--environment", "dev", "--json").json[0]["sweep_id"])
    with rows.environment.database.begin() as session:
        session.execute(update(Sweep).values(state=SweepState.HIDING, purge_after=None))
    for model, its_id in ((RagDocument, left.id), (StoredFile, left.file_id)):
        rows.change(model, its_id, is_deleted=False, deleted_at=None)
    return sweep


def test_restoring_from_an_interrupted_sweep_says_that_the_rest_still_goes(wisqu: Wisqu, rows: Rows) -> None:
    document, other = rows.document(OLD), rows.document(OLD)
    sweep = interrupted(wisqu, rows, other)
    refused = wisqu("cleanup", "restore", sweep, "--item-ids", other.id, *WHY, "--as", DEVELOPER)
    assert (refused.code, "nothing of that is hidden." in refused.err) == (2, True), "it never was"
    back = wisqu("cleanup", "restore", sweep, "--item-ids", document.id, *WHY, "--as", DEVELOPER)
    assert back.out == "Given back: 2 rows. The next run hides what else the sweep lists.\n"
    told = wisqu("cleanup", "--dry-run", "--environment", "dev")
    assert f"The next run goes on with the sweep {sweep}" in told.out.replace("\n", " ")
    (dry,) = wisqu("cleanup", "--dry-run", "--environment", "dev", "--json").json
    assert dry["rows"] == 0, "what an earlier sweep goes on with is in no new one"
    assert dry["types"]["rag_documents"]["stays"] == {
        "a person took it back": 1,
        "an earlier sweep goes on with it": 1,
    }


def test_restoring_all_of_an_interrupted_sweep_ends_it(wisqu: Wisqu, rows: Rows) -> None:
    document, other = rows.document(OLD), rows.document(OLD)
    sweep = interrupted(wisqu, rows, other)
    back = wisqu("cleanup", "restore", sweep, *WHY, "--as", DEVELOPER)
    assert back.out == "Given back: 2 rows; the sweep hides no others.\n"
    (told,) = wisqu("cleanup", "list", "dev", "--json").json
    assert (told["state"], told["rejection"], told["restored"]) == ("rejected", WHY[1], 4)
    assert "Nothing is due" in wisqu("cleanup", "--environment", "dev").out
    assert rows.visible(RagDocument) == {document.id, other.id}


def test_what_one_environment_refuses_goes_in_the_others(wisqu: Wisqu, rows: Rows) -> None:
    due, stage = rows.document(OLD), Rows(rows.services, "stage")
    there = stage.document(OLD)
    ran = wisqu("cleanup", "--model", "rag_documents", "--json", "--as", TESTER)
    assert (ran.code, ran.out) == (2, ""), "both refuse"
    assert ran.err.count("refused:") == 1
    rows.services.people.grant(TESTER, "stage", "developer", SUPERADMIN, WHY[1])
    ran = wisqu("cleanup", "--model", "rag_documents", "--json", "--as", TESTER)
    assert (ran.code, [each["environment"] for each in json.loads(ran.out)]) == (2, ["stage"])
    assert "clean up" in ran.err
    assert (rows.visible(RagDocument), stage.visible(RagDocument)) == ({due.id}, set())
    assert there.id not in stage.visible(RagDocument)


@pytest.mark.usefixtures("services")
def test_the_policies(wisqu: Wisqu) -> None:
    shown = wisqu("cleanup", "policy")
    assert shown.code == 0
    told = {line.split("│")[1].strip(): line for line in shown.out.splitlines() if line.startswith("│")}
    assert list(told) == ["dev", "stage", "prod"]
    assert ("by itself" in told["dev"], "by two people" in told["prod"]) == (True, True)
    assert wisqu("cleanup", "policy", "prod", "--json").json["prod"]["grace_days"] == 30
    assert "nowhere" in wisqu("cleanup", "policy", "nowhere").err


def test_a_dry_run_as_markdown_and_as_a_picture(wisqu: Wisqu, rows: Rows, tmp_path: Path) -> None:
    rows.document(OLD)
    drawn = tmp_path / "dev.png"
    told = wisqu("cleanup", "--dry-run", "--environment", "dev", "--markdown", "--picture", drawn).out
    assert told.startswith("### dev: a dry run would hide 2 rows\n\n| type | rows |")
    assert "| rag_documents | 1 | 0 | 0 B | 2 | 365+: 1 |  |" in told
    assert drawn.read_bytes().startswith(b"\x89PNG")
    for options, way_out in (
        (("--dry-run", "--picture", drawn), "name it with --environment"),
        (("--environment", "dev", "--picture", drawn), "add --dry-run"),
        (
            ("--dry-run", "--environment", "dev", "--picture", tmp_path / "none" / "dev.png"),
            "No such file or directory",
        ),
        (("--dry-run", "--markdown", "--json"), "one or the other"),
    ):
        refused = wisqu("cleanup", *options)
        assert (refused.code, way_out in refused.err) == (2, True), refused.err


def test_a_dry_run_says_what_the_cap_would_stop(wisqu: Wisqu, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    rows.document(OLD)
    monkeypatch.setenv("WISQU_ENVIRONMENTS__DEV__RETENTION__ALWAYS_ROWS", "0")
    told = wisqu("cleanup", "--dry-run", "--environment", "dev")
    assert "The cap stops it: 1 of 1 rag_documents" in told.out
    forced = wisqu("cleanup", "--dry-run", "--environment", "dev", "--force")
    assert "It goes past the cap, which says: 1 of 1 rag_documents" in forced.out
    assert wisqu("cleanup", "--environment", "dev").code == 2
    unnamed = wisqu("cleanup", "--environment", "dev", "--force", *WHY)
    assert (unnamed.code, "going past the cap takes a person's name" in unnamed.err) == (2, True)


def test_a_policy_of_a_type_that_is_not_swept_stops_it(
    wisqu: Wisqu, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    del rows
    monkeypatch.setenv("WISQU_ENVIRONMENTS__DEV__RETENTION__TYPES__RAG_DOCUMENTZ", "3650")
    refused = wisqu("cleanup", "--dry-run", "--environment", "dev")
    assert (refused.code, "dev.retention.types: rag_documentz is not swept" in refused.err) == (2, True)


def test_a_sweep_is_found_by_its_id_alone(wisqu: Wisqu, rows: Rows) -> None:
    rows.document(OLD)
    sweep = wisqu("cleanup", "--environment", "dev", "--json").json[0]["sweep_id"]
    elsewhere = wisqu("cleanup", "items", sweep, "--environment", "stage")
    assert (elsewhere.code, f"There is no sweep {sweep} in stage" in elsewhere.err) == (2, True)
    nowhere = wisqu("cleanup", "items", "00000000-0000-4000-8000-000000000000")
    assert (nowhere.code, "in any environment; 'wisqu cleanup list' shows" in nowhere.err) == (2, True)
    back = wisqu("cleanup", "restore", sweep, *WHY, "--as", DEVELOPER, "--json").json
    assert (back["given_back"], back["sweep"]["hidden"]) == (2, 0)
    rows.document(OLD)
    newest = wisqu("cleanup", "--environment", "dev", "--json").json[0]["sweep_id"]
    (listed,) = wisqu("cleanup", "list", "dev", "--limit", "1", "--json").json
    assert listed["sweep_id"] == newest
    assert "Those are the newest 1; if there are more" in wisqu("cleanup", "list", "dev", "--limit", "1").out
    assert "Those are" not in wisqu("cleanup", "list", "dev").out


def test_an_option_in_front_of_a_subcommand_is_not_passed_over(wisqu: Wisqu, rows: Rows) -> None:
    refused = wisqu("cleanup", "--dry-run", "list", rows.name)
    assert (refused.code, "--dry-run" in refused.err) == (2, True)


def test_by_itself_it_sweeps_only_what_is_swept_by_itself(wisqu: Wisqu, services: Services) -> None:
    prod = Rows(services, "prod")
    prod.document(OLD)
    assert [each["environment"] for each in wisqu("cleanup", "--json").json] == ["dev", "stage"]
    assert len(prod.visible(RagDocument)) == 1
    refused = wisqu("cleanup", "--environment", "prod")
    assert refused.code == 2
    assert "not cleaned up by itself" in refused.err


def test_prod_takes_two(wisqu: Wisqu, services: Services) -> None:
    prod = Rows(services, "prod")
    prod.document(OLD)
    asked = wisqu("cleanup", "--environment", "prod", *WHY, "--as", ADMIN)
    assert "wisqu cleanup approve " in asked.out
    (sweep,) = wisqu("cleanup", "list", "prod", "--json").json
    assert wisqu("cleanup", "approve", sweep["sweep_id"], "--as", ADMIN).code == 2
    approved = wisqu("cleanup", "approve", sweep["sweep_id"], "--as", SUPERADMIN, "--json").json
    assert approved["state"] == "hiding"
    listed = unwrapped(wisqu("cleanup", "items", sweep["sweep_id"]))
    assert "is hiding: the next run hides what still may go of its 2 rows. To call it off: wisqu cleanup" in listed
    assert wisqu("cleanup", "--environment", "prod", "--as", ADMIN).code == 0
    assert prod.visible(RagDocument) == set()


def test_bad_input_is_refused(wisqu: Wisqu, rows: Rows) -> None:
    del rows
    assert wisqu("cleanup", "--environment", "nowhere").code == 2
    assert wisqu("cleanup", "--environment", "dev", "--model", "documents").code == 2
    assert wisqu("cleanup", "restore", "not-an-id", *WHY, "--as", DEVELOPER).code == 2
    assert wisqu("cleanup", "--environment", "dev", "--force", "--as", DEVELOPER).code == 2


def test_holds(wisqu: Wisqu, rows: Rows) -> None:
    document = rows.document(OLD)
    placing = ("hold", "place", "dev", "--type", "rag_documents", "--item", document.id, *WHY)
    assert wisqu(*placing, "--as", DEVELOPER).code == 2
    placed = wisqu(*placing, "--as", ADMIN)
    assert placed.code == 0, placed.err
    assert "keeps 1 row of dev" in placed.out
    (held,) = wisqu("hold", "list", "dev", "--json").json
    assert held["of"]["item_id"] == str(document.id)
    assert wisqu("cleanup", "--environment", "dev").code == 0
    assert rows.visible(RagDocument) == {document.id}
    assert wisqu("hold", "release", "dev", held["id"], *WHY, "--as", ADMIN).code == 0
    assert wisqu("hold", "list", "dev", "--json").json == []
    assert wisqu("hold", "place", "dev", *WHY, "--as", ADMIN).code == 2
    words = wisqu("hold", "place", "dev", "--words", "fasting", "--created-from", "2024-01-01", *WHY, "--as", ADMIN)
    assert words.code == 0, words.err
    assert "fasting" in wisqu("hold", "list", "dev").out


def test_a_hold_on_everything_of_an_account(wisqu: Wisqu, services: Services) -> None:
    person = a_person(services)
    with services.environments["dev"].database.begin() as session:
        address = session.get_one(User, person.id).email
    placed = wisqu("hold", "place", "dev", "--user", address.upper(), *WHY, "--as", ADMIN, "--json").json
    assert placed["rows"] == person.left()
    listed = wisqu("hold", "list", "dev")
    assert all(said in listed.out for said in (placed["id"], str(person.id), ADMIN))
    assert wisqu("hold", "release", "dev", placed["id"], *WHY, "--as", ADMIN, "--json").json["released"]
    unknown = wisqu("hold", "place", "dev", "--user", "nobody@example.org", *WHY, "--as", ADMIN)
    assert (unknown.code, "no nobody@example.org among the users of dev" in unknown.err) == (2, True)
    someday = wisqu("hold", "place", "dev", "--words", "fasting", "--until", "someday", *WHY, "--as", ADMIN)
    assert (someday.code, "is no day; write it like 2026-12-31" in " ".join(someday.err.split())) == (2, True)
