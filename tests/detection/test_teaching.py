"""What people teach: through the control database, and with a trial on real rows."""

import time
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.detection.rows import add, file, get
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import StoredFile
from wisqu_pipelines.catalog.repository import EnvironmentAwareRepository
from wisqu_pipelines.detection.detector import TestDataDetector
from wisqu_pipelines.detection.fields import MODELS
from wisqu_pipelines.detection.patterns import compile_pattern
from wisqu_pipelines.errors import BadInput, NotPermitted, RuleNotFound, UnknownType
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, TESTER


def actions(services: Services) -> list[str]:
    with services.control.begin() as session:
        rows = session.scalars(sa.select(EnvironmentAccess).order_by(EnvironmentAccess.sequence))
        return [each.action for each in rows if each.action.startswith("detector")]


def test_a_pattern_marks_from_the_next_scan_on_and_its_removal_unmarks(services: Services) -> None:
    (item,) = add(services, file("zeta-acme-12.md"))
    detection = services.detection("dev")
    assert detection.scan().marked == 0
    before = detection.judge().version
    rule = services.teaching.add_pattern(r"zeta-acme-[0-9]+", DEVELOPER, "our robot's files")
    assert services.detection("dev").judge().version != before
    assert services.detection("dev").scan().marked == 1
    row = get(services, StoredFile, item)
    assert "custom/zeta-acme-[0-9]+ in filename: 'zeta-acme-12' (our robot's files)" in row.test_data_reason
    ((listed),) = services.teaching.patterns()
    assert (listed.phrase, listed.reason, listed.given_by) == (r"zeta-acme-[0-9]+", "our robot's files", DEVELOPER)
    services.teaching.remove(rule, ADMIN, "the robot is gone")
    assert services.detection("dev").scan().unmarked == 1
    assert services.teaching.patterns() == []
    assert actions(services) == ["detector_pattern_added", "detector_pattern_removed"]


@pytest.mark.parametrize("is_pattern", [False, True])
def test_an_exception_makes_texts_real(services: Services, is_pattern: bool) -> None:
    (item,) = add(services, file("Test-Bericht.pdf"), file("other.md"))[:1]
    assert services.detection("dev").judge().judge("test file 3").is_test_data
    services.teaching.add_exception(
        "test file" if is_pattern else "Test File 3", DEVELOPER, "a product", is_pattern=is_pattern
    )
    judge = services.detection("dev").judge()
    assert not judge.judge("test file 3").is_test_data
    assert judge.judge("test file 4").is_test_data is not is_pattern
    assert item


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("(", "does not compile"),
        ("a*", "matches the empty string"),
        ("", "is empty"),
        ("x" * 2_000, "longer than"),
        (r"(a)\1", "does not compile"),
        ("guide", r"matches 3 of 3 rows of prod that nobody marked, the first of them '.*guide"),
    ],
)
def test_an_unusable_pattern_is_refused(services: Services, pattern: str, sentence: str) -> None:
    add(services, *(file(f"guide {number}.md") for number in range(3)), env="prod")
    with pytest.raises(BadInput, match=sentence):
        services.teaching.add_pattern(pattern, DEVELOPER, "why not")
    assert services.teaching.patterns() == []
    assert actions(services) == []


def test_nobody_teaches_twice_without_a_reason_or_without_a_right(services: Services) -> None:
    with pytest.raises(BadInput, match="the reason"):
        services.teaching.add_pattern("zeta", DEVELOPER, " ")
    with pytest.raises(NotPermitted):
        services.teaching.add_pattern("zeta", TESTER, "why not")
    services.teaching.add_pattern("zeta", DEVELOPER, "ours")
    with pytest.raises(BadInput, match="in force already"):
        services.teaching.add_pattern("zeta", DEVELOPER, "ours")
    with pytest.raises(RuleNotFound):
        services.teaching.remove(uuid4(), DEVELOPER, "gone")
    with pytest.raises(BadInput, match="wisqu detect models"):
        services.lessons.use("nonsense", DEVELOPER, "it was better")


def test_evil_input_takes_no_time() -> None:
    compiled = compile_pattern("(a|aa)+$")
    text = "a" * 1_000_000 + "b"
    started = time.process_time()
    assert compiled.search(text) is None
    assert time.process_time() - started < 0.1


# Learning


def mark(services: Services, name: str, *, is_test_data: bool) -> None:
    (item,) = add(services, file(name))
    with services.environments["dev"].database.begin() as session:
        items = EnvironmentAwareRepository(session, StoredFile)
        items.mark_as_test_data(item, "it is") if is_test_data else items.mark_as_real(item)


def test_learning_from_marks_keeps_a_model_and_proposes_patterns(services: Services) -> None:
    with pytest.raises(BadInput, match="it is 0 marks of test data and 0 of real items"):
        services.lessons.learn(DEVELOPER)
    for number in range(25):
        mark(services, f"zeta-acme-{number}.md", is_test_data=True)
        mark(services, f"chapter {number} of the book of prayer.md", is_test_data=False)
    lesson = services.lessons.learn(DEVELOPER)
    assert lesson.is_used
    (model,) = services.lessons.models()
    assert (model.version, model.is_used) == (lesson.version, True)
    learnt = services.detection("dev").judge().version
    (proposed,) = services.teaching.proposals()
    assert "zeta" in proposed.pattern
    services.teaching.decide(proposed.pattern, ADMIN, "yes, the robot", is_accepted=True)
    assert services.teaching.proposals() == []
    assert [each.phrase for each in services.teaching.patterns()] == [proposed.pattern]
    services.lessons.use(None, ADMIN, "it is too eager")
    assert services.lessons.used() is None
    assert services.detection("dev").judge().version != learnt
    services.lessons.use(lesson.version, ADMIN, "it was not")
    used = services.lessons.used()
    assert used is not None
    assert used.version == lesson.version


def test_a_refused_proposal_is_not_made_again(services: Services) -> None:
    for number in range(25):
        mark(services, f"zeta-acme-{number}.md", is_test_data=True)
        mark(services, f"chapter {number} of the book of prayer.md", is_test_data=False)
    services.lessons.learn(DEVELOPER)
    (proposed,) = services.teaching.proposals()
    services.teaching.decide(proposed.pattern, ADMIN, "no robot of ours", is_accepted=False)
    assert services.lessons.learn(DEVELOPER).proposed == 0
    assert services.teaching.patterns() == []


# The detector as Wisqu calls it


def test_the_detector_scans_within_the_callers_transaction(services: Services) -> None:
    (item,) = add(services, file("test.md"))
    with services.environments["dev"].database.begin() as session:
        found = TestDataDetector.scan_and_mark_test_data(session, StoredFile, "dev", batch_size=100)
        assert (found["scanned"], found["marked_as_test"]) == (1, 1)
        session.rollback()
    assert not get(services, StoredFile, item).is_test_data
    with services.environments["dev"].database.begin() as session:
        with pytest.raises(BadInput, match="the session is one of dev"):
            TestDataDetector.scan_and_mark_test_data(session, StoredFile, "stage")
        with pytest.raises(BadInput, match="batch size"):
            TestDataDetector.scan_and_mark_test_data(session, StoredFile, "dev", batch_size=0)
        with pytest.raises(UnknownType):
            TestDataDetector.scan_and_mark_test_data(session, str, "dev")  # type: ignore[arg-type]
        row = session.get_one(StoredFile, item)
        assert TestDataDetector.check_model(row)[0]
    assert len(MODELS) == 6
