"""Each metric on real databases, against what was counted by hand."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.metrics.conftest import EVIL, MARKED, Counted
from tests.retention.conftest import CHUNKS, OLD, Rows
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.errors import UnknownEnvironment, UnknownMetric
from wisqu_pipelines.identity import demo_people
from wisqu_pipelines.metrics import frames, registry
from wisqu_pipelines.metrics.metric import Kind
from wisqu_pipelines.metrics.people import END_USERS, NOBODY, TEST_ACCOUNTS
from wisqu_pipelines.metrics.rows import BY_PERSON, MODELS, OTHER

ENVIRONMENTS = ("dev", "stage", "prod")


def test_an_empty_world_has_frames_of_the_same_types(counted: Counted, dev: Rows) -> None:
    empty = {name: counted.services.metrics.frame(name) for name in registry.METRICS}
    for name, metric in registry.METRICS.items():
        assert list(empty[name].columns) == list(metric.columns)
    assert {name for name, each in empty.items() if len(each)} == {"distribution", "storage"}
    assert len(empty["distribution"]) == len(MODELS) * len(ENVIRONMENTS)
    assert empty["distribution"]["rows"].sum() == 0

    dev.document(OLD)
    counted.promotion("succeeded", duration_seconds=3.0)
    counted.promotion("planned", target="prod")
    for name in registry.METRICS:
        filled = counted.services.metrics.frame(name)
        assert list(filled.dtypes) == list(empty[name].dtypes), name
        assert [str(each) for each in filled.dtypes] == [frames.DTYPES[each] for each in _kinds(name)], name


def _kinds(name: str) -> list[Kind]:
    return list(registry.METRICS[name].columns.values())


def test_promotions_by_day_and_path(counted: Counted) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
    for state, seconds in (("succeeded", 1.0), ("succeeded", 3.0), ("failed", 5.0), ("rolled_back", 11.0)):
        counted.promotion(state, created_at=noon, duration_seconds=seconds, success_count=2, error_count=1)
    for state in ("planned", "approved", "executing", "published", "rolling_back", "refused", "rejected"):
        counted.promotion(state, created_at=noon)
    counted.promotion("planned", target="prod", created_at=noon)
    counted.promotion("succeeded", 40, duration_seconds=1.0)

    stage, prod = counted.rows("promotions")
    assert stage == {
        "day": noon.replace(hour=0),
        "path": "dev->stage",
        "planned": 2,
        "running": 3,
        "succeeded": 2,
        "failed": 1,
        "refused": 2,
        "rolled_back": 1,
        "items": 8,
        "errors": 4,
        "success_rate": 0.5,
        "median_seconds": 4.0,
        "p95_seconds": pytest.approx(10.1),
    }
    assert (prod["path"], prod["planned"], prod["success_rate"], prod["median_seconds"]) == (
        "stage->prod",
        1,
        None,
        None,
    )
    assert len(counted.rows("promotions", days=60)) == 3
    (by_stage, _) = counted.rows("paths", days=60)
    assert (by_stage["promotions"], by_stage["succeeded"], by_stage["success_rate"]) == (12, 3, 0.6)
    states = Counter({(each["path"], each["state"]): each["promotions"] for each in counted.rows("promotion_states")})
    assert states["dev->stage", "succeeded"] == 3
    assert states["stage->prod", "planned"] == 1
    assert states.total() == 13


def test_only_what_went_and_stayed_was_promoted(counted: Counted) -> None:
    skipped, back = uuid4(), uuid4()
    items: list[dict[str, Any]] = [
        {},
        {"effect": "update", "bytes": 50},
        {"item_type": "rag_documents", "bytes": 0, "points": 7},
        {"effect": "unchanged"},
        {"effect": "blocked"},
        {"source_id": skipped},
        {"source_id": back},
    ]
    went = counted.promotion("succeeded", items=items)
    counted.passed(went, skipped, "skipped")
    counted.passed(went, back, "rolled_back")
    counted.passed(went, back, "staged")
    counted.promotion("failed", items=[{}])
    assert counted.rows("promoted_types") == [
        {"path": "dev->stage", "type": "stored_files", "items": 2, "bytes": 150, "points": 0},
        {"path": "dev->stage", "type": "rag_documents", "items": 1, "bytes": 0, "points": 7},
    ]


def test_rows_and_room(counted: Counted, dev: Rows) -> None:
    document = dev.document(OLD)
    dev.change(RagDocument, document.id, is_deleted=True)
    counted.file(size=5, promotion_status="promoted")
    counted.file(size=7, source_id=uuid4(), source_environment="dev", environment="dev")
    counted.file("prod", 1000)
    found = {each["type"]: each for each in counted.rows("distribution", "dev")}
    assert list(found) == [each.__tablename__ for each in MODELS]
    files, documents = found["stored_files"], found["rag_documents"]
    assert (files["rows"], files["visible"], files["deleted"]) == (3, 3, 0)
    assert (files["came_by_promotion"], files["promoted_on"]) == (1, 1)
    assert (documents["rows"], documents["visible"], documents["deleted"]) == (1, 0, 1)
    room = {(each["environment"], each["type"]): each for each in counted.rows("storage")}
    assert room["dev", "stored_files"]["bytes"] == 5 + 7 + len(str(document.id))
    assert room["dev", "rag_documents"]["points"] == CHUNKS
    assert room["prod", "stored_files"]["bytes"] == 1000
    assert room["prod", "users"]["table_bytes"] > 0


def test_test_data_by_group_and_never_by_what_was_found(counted: Counted) -> None:
    for reason in (
        MARKED,
        MARKED,
        "qa/test_plan in chunk text: 'x' (a plan); emails/y in title: 'z' (w)",
        "just so",
        None,
    ):
        counted.file(is_test_data=True, test_data_reason=reason)
    counted.file(is_test_data=True, test_data_reason=MARKED, test_data_by_person=True)
    counted.file()
    told = {each["reason"]: each["rows"] for each in counted.rows("test_data", "dev")}
    assert told == {"emails": 2, "qa": 1, OTHER: 2, BY_PERSON: 1}
    assert counted.rows("test_data", "prod") == []


def test_sweeps(counted: Counted, dev: Rows) -> None:
    first, _ = dev.document(OLD), dev.document(OLD)
    sweep_id = dev.retention.run().sweep.sweep_id
    assert sweep_id is not None
    dev.retention.restore(sweep_id, counted.person(), "still wanted", [first.id])
    (sweep,) = counted.rows("sweeps")
    assert (sweep["environment"], sweep["state"], sweep["rows"]) == ("dev", "hidden", 4)
    assert (sweep["hidden"], sweep["restored"], sweep["purged"], sweep["kept"]) == (2, 2, 0, 0)
    assert (sweep["points"], sweep["bytes"]) == (CHUNKS, len(str(first.id)))
    assert counted.rows("sweeps", "prod") == []


def test_test_accounts_by_developer(counted: Counted) -> None:
    dana = counted.person()
    counted.account(dana, 3)
    counted.account(dana, -1)
    counted.account(dana, 5, is_deleted=True)
    counted.account(uuid4(), 5, "stage")
    (dev,) = counted.rows("accounts", "dev")
    assert (dev["developer"], dev["active"], dev["expired"]) == (demo_people.DEVELOPER, 1, 2)
    (stage,) = counted.rows("accounts", "stage")
    assert stage["active"] == 1


def test_access_names_people_and_no_end_user(counted: Counted) -> None:
    dana, admin = counted.person(), counted.person(demo_people.ADMIN)
    counted.entered(dana, reason="Looking into 4711", details={"role": "developer"})
    counted.entered(dana, reason=EVIL, details={"role": "developer"})
    counted.entered(dana, reason=EVIL, success=False)
    for _ in range(3):
        counted.entered(admin, details={"role": "user"})
    counted.entered(admin, action="role_granted", reason="new here", details={"role": "user"})
    counted.entered(None, action="promoted_to_prod")
    counted.entered(dana, "identity", action="login")
    counted.entered(dana, reason="long ago", occurred_at=datetime.now(UTC) - timedelta(days=50))
    found = {(each["person"], each["action"]): each for each in counted.rows("access")}
    assert set(found) == {
        (demo_people.DEVELOPER, "environment_token"),
        (demo_people.ADMIN, "role_granted"),
        (END_USERS, "environment_token"),
        (NOBODY, "promoted_to_prod"),
    }
    own = found[demo_people.DEVELOPER, "environment_token"]
    assert (own["environment"], own["times"], own["refused"]) == ("prod", 3, 1)
    assert own["reasons"] == f"{EVIL}; Looking into 4711"
    assert found[END_USERS, "environment_token"]["times"] == 3


def test_actions_in_an_environment(counted: Counted) -> None:
    dana = counted.person()
    counted.did(dana, "ingested", reason="new guides")
    counted.did(dana, "ingested", success=False)
    counted.did(None, "cleaned_up")
    counted.came(uuid4(), "login", details={"role": "user"})
    counted.came(uuid4(), "test_login")
    counted.came(dana, "login", details={"role": "developer"})
    found = {(each["person"], each["action"]): (each["times"], each["failed"]) for each in counted.rows("actions")}
    assert found == {
        (demo_people.DEVELOPER, "ingested"): (2, 1),
        (NOBODY, "cleaned_up"): (1, 0),
        (END_USERS, "login"): (1, 0),
        (TEST_ACCOUNTS, "test_login"): (1, 0),
        (demo_people.DEVELOPER, "login"): (1, 0),
    }


def test_what_there_is_not_is_refused(counted: Counted) -> None:
    with pytest.raises(UnknownMetric, match=r"'rows'.*access, accounts"):
        counted.rows("rows")
    with pytest.raises(UnknownEnvironment):
        counted.rows("storage", "nowhere")
