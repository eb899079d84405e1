"""The main job through the command line, on real stores."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from tests.cli.conftest import Wisqu
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import WisquError

DANA = ("--as", "dana@demo.wisqu.com")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "prayer.md").write_text("# Prayer\n\nThe five daily prayers and their times.\n")
    (documents / "fasting.txt").write_text("Fasting in the month of Ramadan.\n")
    return documents


@pytest.mark.usefixtures("services")
def test_from_a_folder_to_stage_and_back(wisqu: Wisqu, folder: Path) -> None:
    assert wisqu("ingest", folder, "--env", "dev", *DANA).code == 0
    items = wisqu("promote", "items", "rag_documents", "--env", "dev", "--json").json
    assert len(items) == 2
    ids = [item["id"] for item in items]
    assert wisqu("promote", "approve", "rag_documents", *ids, "--env", "dev", *DANA).code == 0
    preview = wisqu("promote", "preview", "rag_documents", "dev", "stage", *DANA, "--reason", "release", "--json").json
    assert preview["total_count"] == 4
    promotion = preview["preview"]["promotion_id"]
    assert [each["promotion_id"] for each in wisqu("approvals", "list", "--json").json] == [promotion]
    early = wisqu("promote", "execute", promotion, *DANA)
    assert early.code == 2
    assert "not approved yet" in early.err
    assert wisqu("approvals", "grant", promotion, *DANA).code == 0
    done = wisqu("promote", "execute", promotion, *DANA, "--json").json
    assert (done["state"], done["success_count"]) == ("succeeded", 4)
    hits = wisqu("search", "daily prayers", "--env", "stage", "--json").json
    assert hits[0]["filename"] == "prayer.md"
    status = wisqu("promote", "status", promotion, "--json").json
    assert status["requested_by"] == "dana@demo.wisqu.com"
    assert wisqu("audit", "verify").code == 0
    assert wisqu("promote", "rollback", promotion, *DANA, "--reason", "too early").code == 0
    assert wisqu("search", "daily prayers", "--env", "stage", "--json").json == []
    assert [each["state"] for each in wisqu("promote", "list", "--json").json] == ["rolled_back"]
    assert promotion in wisqu("promote", "list").out, "ids are never cut"


@pytest.mark.usefixtures("services")
def test_a_rejection_is_final_and_says_why(wisqu: Wisqu, folder: Path) -> None:
    wisqu("ingest", folder, "--env", "dev", *DANA)
    items = wisqu("promote", "items", "rag_documents", "--env", "dev", "--json").json
    wisqu("promote", "approve", "rag_documents", items[0]["id"], "--env", "dev", *DANA)
    planned = wisqu("promote", "preview", "rag_documents", "dev", "stage", *DANA, "--json").json["preview"]
    assert wisqu("approvals", "reject", planned["promotion_id"], *DANA, "--reason", "wrong edition").code == 0
    late = wisqu("promote", "execute", planned["promotion_id"], *DANA)
    assert late.code == 2
    assert "wrong edition" in late.err


def test_the_same_sentence_as_the_service(wisqu: Wisqu, services: Services, folder: Path) -> None:
    """Each bad input is refused with exit code 2, in the service's own words, and nothing is kept."""
    services.ingest("dev").ingest([folder])
    draft = wisqu("promote", "items", "rag_documents", "--env", "dev", "--json").json[0]["id"]
    unknown = uuid4()
    for model, source, target, *ids in (
        ("rag_documents", "dev", "moon"),
        ("rag_documents", "stage", "dev"),
        ("sermons", "dev", "stage"),
        ("rag_documents", "dev", "stage", unknown),
        ("rag_documents", "dev", "stage", draft),
    ):
        ran = wisqu("promote", "preview", model, source, target, *(f"--item-ids={each}" for each in ids), *DANA)
        with pytest.raises(WisquError) as refusal:
            services.promotions.preview_promotion(model, source, target, [UUID(str(each)) for each in ids] or None)
        assert ran.code == 2
        assert " ".join(str(refusal.value).split()) in ran.err
    assert wisqu("promote", "list", "--json").json == []


@pytest.mark.usefixtures("services")
def test_bad_words_are_usage_errors(wisqu: Wisqu) -> None:
    for command in (("promote", "status"), ("promote", "plan"), ("promote", "resume", *DANA), ("approvals", "grant")):
        told = wisqu(*command, "no-uuid")
        assert told.code == 2
        assert "'no-uuid' is no id" in told.err
        assert "wisqu promote list" in told.err
    assert wisqu("promote", "execute", "one", "two", *DANA).code == 2
    assert wisqu("promote", "execute", "no-uuid", *DANA).code == 2
    nobody = wisqu("promote", "rollback", uuid4())
    assert nobody.code == 2
    assert "--as PERSON" in nobody.err
    stranger = wisqu("approvals", "grant", uuid4(), "--as", "eve@example.org")
    assert stranger.code == 2
    assert "There is no" in stranger.err


@pytest.mark.usefixtures("services")
def test_ingest_says_what_it_refused_and_takes_the_rest(wisqu: Wisqu, folder: Path) -> None:
    (folder / "=cmd.md").write_text("# A formula\n\ntext\n")
    ran = wisqu("ingest", folder, "--env", "dev", *DANA)
    assert ran.code == 2
    assert "=cmd.md" in ran.out
    assert "formula" in ran.out
    assert len(wisqu("promote", "items", "rag_documents", "--env", "dev", "--json").json) == 2


def test_audit_verify_finds_what_was_changed_around_the_application(
    wisqu: Wisqu, services: Services, folder: Path
) -> None:
    services.ingest("dev").ingest([folder], ingested_by=uuid4())
    assert wisqu("audit", "verify", "dev").code == 0
    owner = Database(services.environments["dev"].settings.database, owner=True)
    with owner.begin() as session:
        session.execute(text("ALTER TABLE developer_actions DISABLE TRIGGER USER"))
        session.execute(text("UPDATE developer_actions SET action = 'nothing' WHERE sequence = 1"))
    owner.close()
    ran = wisqu("audit", "verify", "dev")
    assert ran.code == 1
    assert "developer_actions 1" in ran.out
