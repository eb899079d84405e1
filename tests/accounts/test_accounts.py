"""Developers' test accounts: who makes them, how many, and that nothing of them stays but the audit."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from tests.promotion.world import World
from wisqu_pipelines.accounts.service import MOST_LIVE, Developer, TestAccountService
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.audit.verification import verify_environment
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import (
    Conversation,
    EnvironmentRow,
    Message,
    PromotionBeforeImage,
    RagDocument,
    StoredFile,
    User,
    UserStorageQuota,
)
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.errors import AccountNotFound, BadInput, ItemRefused, NotPermitted, TooManyAccounts, WisquError
from wisqu_pipelines.identity import demo_people, passwords
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.storage.memory import ManualClock

REASON = "Debugging issue 4711, a user cannot log in"
OWNED: tuple[type[EnvironmentRow], ...] = (Message, Conversation, RagDocument, StoredFile, UserStorageQuota, User)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 5, 4, 12, tzinfo=UTC))


@pytest.fixture
def accounts(services: Services, clock: ManualClock) -> TestAccountService:
    return TestAccountService(services.environments["stage"], clock)


@pytest.fixture
def developer(services: Services) -> Developer:
    return services.developer(World(services).person(), "stage")


def count(services: Services, model: type[EnvironmentRow], environment: str = "stage") -> int:
    with services.environments[environment].database.begin() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def everything_of(services: Services, account: UUID) -> dict[str, Any]:
    """A file with its object, a document with its points, a conversation, a quota and a session of an account."""
    stage = services.environments["stage"]
    bucket, collection = services.settings.default_bucket, services.settings.default_collection
    file_id, version = uuid4(), uuid4()
    data = b"what a tester uploaded"
    name = f"stored_files/{file_id}/1/{uuid4()}"
    stage.objects.put(
        stage.settings.get_bucket_name(bucket),
        name,
        io.BytesIO(data),
        len(data),
        content_type="text/plain",
        metadata={},
    )
    points = [
        Point(each, [0.1] * 384, {"environment": "stage", "version": str(version), "chunk": chunk})
        for chunk, each in enumerate(point_ids(version, 2))
    ]
    stage.vectors.upsert(stage.settings.get_collection_name(collection), points)
    stage.sessions.set(f"test-session/{account}/abc", b"{}", ttl=timedelta(hours=1))
    with stage.database.begin() as session:
        session.add(
            StoredFile(
                id=file_id,
                owner_id=account,
                filename="upload.txt",
                bucket=bucket,
                object_name=name,
                content_type="text/plain",
                file_size_bytes=len(data),
                checksum_sha256=hashlib.sha256(data).hexdigest(),
            )
        )
        session.flush()
        conversation = Conversation(id=uuid4(), user_id=account, title="about prayer")
        session.add_all(
            [
                RagDocument(
                    file_id=file_id,
                    title="upload",
                    collection=collection,
                    vector_version=version,
                    point_count=2,
                    embedding="test",
                ),
                conversation,
                UserStorageQuota(user_id=account, max_bytes=1, max_files=1),
            ]
        )
        session.flush()
        session.add(Message(conversation_id=conversation.id, role="user", content="a question"))
    return {"bucket": stage.settings.get_bucket_name(bucket), "object": name, "version": version}


def test_what_is_made_is_a_users_account_for_a_time(
    accounts: TestAccountService, developer: Developer, services: Services, clock: ManualClock
) -> None:
    made = accounts.create(developer, REASON, 3)

    assert made.email.startswith("dev-test-")
    assert made.email.endswith(f"@test.{services.settings.environment('stage').domain}")
    with services.environments["stage"].database.begin() as session:
        row = session.get_one(User, made.id)
    assert (row.role, row.account_type, row.is_test_account) == ("user", "developer_test", True)
    assert row.created_by_developer == developer.id
    assert row.test_expires_at == clock.now() + timedelta(hours=3) == made.expires_at
    assert passwords.matches(made.password, row.password_hash)
    assert made.password not in str(vars(row))


@pytest.mark.parametrize(
    ("email", "environment", "may"),
    [
        (demo_people.DEVELOPER, "dev", False),
        (demo_people.DEVELOPER, "stage", True),
        (demo_people.DEVELOPER, "prod", True),
        (demo_people.TESTER, "stage", False),
        (demo_people.ADMIN, "dev", True),
        (demo_people.ADMIN, "prod", True),
        (demo_people.SUPERADMIN, "dev", True),
    ],
)
def test_the_matrix_says_who_makes_them(services: Services, email: str, environment: str, may: bool) -> None:
    who = services.developer(World(services).person(email), environment)
    service = services.test_accounts(environment)
    if may:
        assert service.create(who, REASON).environment == environment
        return
    for refused in (
        lambda: service.create(who, REASON),
        lambda: service.list(who),
        lambda: service.delete(who, uuid4()),
    ):
        with pytest.raises(NotPermitted):
            refused()
    assert count(services, User, environment) == 0


@pytest.mark.parametrize("hours", [0, -1, 169, 10**9])
def test_the_time_is_between_an_hour_and_a_week(accounts: TestAccountService, developer: Developer, hours: int) -> None:
    with pytest.raises(BadInput, match="168"):
        accounts.create(developer, REASON, hours)


@pytest.mark.parametrize(
    "reason", ["", "   ", "too short", "aaaaaaaaaaaaaaaa", "........................", "x" * 501, "a\x00b" * 9]
)
def test_a_reason_says_something(accounts: TestAccountService, developer: Developer, reason: str) -> None:
    with pytest.raises(BadInput, match="reason"):
        accounts.create(developer, reason)


def test_a_hundred_at_once_leave_five(accounts: TestAccountService, developer: Developer, services: Services) -> None:
    def make(_: int) -> str:
        try:
            return accounts.create(developer, REASON).email
        except TooManyAccounts:
            return ""

    with ThreadPoolExecutor(12) as pool:
        made = [each for each in pool.map(make, range(100)) if each]
    assert len(made) == len(set(made)) == MOST_LIVE == count(services, User)


def test_the_database_itself_holds_the_limit(
    services: Services, accounts: TestAccountService, developer: Developer
) -> None:
    made = accounts.create(developer, REASON)
    with services.environments["stage"].database.begin() as session:
        place = session.get_one(User, made.id).test_place
    row = {"email": "sixth@x.org", "role": "user", "created_by_developer": developer.id, "is_test_account": True}
    for wrong in (place, 6, 0):
        with pytest.raises(IntegrityError), services.environments["stage"].database.begin() as session:
            session.execute(insert(User).values(id=uuid4(), test_place=wrong, **row))


def test_five_are_counted_for_each_developer_and_environment_and_only_while_they_live(
    services: Services, accounts: TestAccountService, developer: Developer, clock: ManualClock
) -> None:
    for _ in range(MOST_LIVE):
        accounts.create(developer, REASON, 1)
    with pytest.raises(TooManyAccounts):
        accounts.create(developer, REASON)
    other = services.developer(World(services).person(demo_people.ADMIN), "stage")
    accounts.create(other, REASON)
    services.test_accounts("prod").create(services.developer(developer.id, "prod"), REASON)
    clock.advance(timedelta(hours=1))
    assert accounts.create(developer, REASON).email  # the others' time is over, though nobody has swept them yet
    assert [each.is_expired for each in accounts.list(developer)] == [False, True, True, True, True, True]


def test_a_deleted_account_leaves_nothing_but_the_audit(
    services: Services, accounts: TestAccountService, developer: Developer
) -> None:
    stage = services.environments["stage"]
    made = accounts.create(developer, REASON)
    kept = accounts.create(developer, REASON)
    what = everything_of(services, made.id)
    others = everything_of(services, kept.id)

    gone = accounts.delete(developer, made.id, "the issue is understood now")

    assert (gone.rows, gone.files, gone.points) == (6, 1, 2)
    assert [count(services, model) for model in OWNED] == [1] * len(OWNED)
    assert stage.objects.stat(what["bucket"], what["object"]) is None
    assert stage.objects.stat(others["bucket"], others["object"]) is not None
    collection = stage.settings.get_collection_name(services.settings.default_collection)
    assert stage.vectors.present(collection, point_ids(what["version"], 2)) == set()
    assert len(stage.vectors.present(collection, point_ids(others["version"], 2))) == 2
    assert stage.sessions.get(f"test-session/{made.id}/abc") is None
    assert stage.sessions.get(f"test-session/{kept.id}/abc") == b"{}"
    with stage.database.begin() as session:
        written = session.scalars(select(DeveloperAction).order_by(DeveloperAction.sequence)).all()
    assert [each.action for each in written][-1] == "delete_test_account"
    assert written[-1].details == {"account_id": str(made.id), "email": made.email, "files": 1, "points": 2, "rows": 6}
    assert verify_environment(services.control, stage.database, "stage").holds
    with pytest.raises(AccountNotFound):
        accounts.delete(developer, made.id)


def test_only_its_developer_sees_and_deletes_it(
    services: Services, accounts: TestAccountService, developer: Developer
) -> None:
    made = accounts.create(developer, REASON)
    other = services.developer(World(services).person(demo_people.ADMIN), "stage")

    assert accounts.list(other) == []
    with pytest.raises(AccountNotFound):
        accounts.delete(other, made.id)
    assert [each.id for each in accounts.list(developer)] == [made.id]


def test_a_real_users_account_is_no_test_account(
    services: Services, accounts: TestAccountService, developer: Developer
) -> None:
    real = uuid4()
    with services.environments["stage"].database.begin() as session:
        session.add(User(id=real, email="reader@example.org", role="user", created_by_developer=developer.id))
    with pytest.raises(AccountNotFound):
        accounts.delete(developer, real)
    assert accounts.expire() == []
    assert count(services, User) == 1


def test_what_expires_is_swept_and_what_lives_stays(
    services: Services, accounts: TestAccountService, developer: Developer, clock: ManualClock
) -> None:
    short, long = accounts.create(developer, REASON, 1), accounts.create(developer, REASON, 2)
    everything_of(services, short.id)
    assert accounts.expire() == []

    clock.advance(timedelta(hours=1))
    assert [each.account_id for each in accounts.expire()] == [short.id]

    assert [each.id for each in accounts.list(developer)] == [long.id]
    assert count(services, StoredFile) == 0
    assert accounts.expire() == []


@pytest.mark.parametrize("broken", ["sessions", "vectors", "objects"])
def test_a_removal_that_breaks_off_is_finished_by_the_next(
    services: Services, accounts: TestAccountService, developer: Developer, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = services.environments["stage"]
    made = accounts.create(developer, REASON)
    what = everything_of(services, made.id)
    names = {"sessions": "delete_prefix", "vectors": "delete", "objects": "delete"}

    def fail(*_: object, **__: object) -> None:
        raise WisquError(message="the store is away")

    with monkeypatch.context() as patched:
        patched.setattr(type(getattr(stage, broken)), names[broken], fail)
        with pytest.raises(WisquError):
            accounts.delete(developer, made.id)
    with stage.database.begin() as session:
        row = session.get_one(User, made.id)
        assert row.is_deleted
        assert row.password_hash is None  # nobody logs in with it meanwhile
        assert session.scalars(select(StoredFile.is_deleted)).all() == [True]

    assert [each.account_id for each in accounts.expire()] == [made.id]
    assert [count(services, model) for model in OWNED] == [0] * len(OWNED)
    assert stage.objects.stat(what["bucket"], what["object"]) is None


def test_what_a_rollback_would_restore_stays_in_the_stores(
    services: Services, accounts: TestAccountService, developer: Developer
) -> None:
    stage = services.environments["stage"]
    made = accounts.create(developer, REASON)
    what = everything_of(services, made.id)
    with stage.database.begin() as session:
        image = {"object_name": what["object"], "vector_version": str(what["version"])}
        session.add(
            PromotionBeforeImage(promotion_id=uuid4(), item_type="stored_files", target_id=uuid4(), image=image)
        )
    gone = accounts.delete(developer, made.id)
    assert (gone.files, gone.points) == (0, 0)
    assert stage.objects.stat(what["bucket"], what["object"]) is not None


def test_a_running_promotion_keeps_its_items(
    services: Services, accounts: TestAccountService, developer: Developer
) -> None:
    made = accounts.create(developer, REASON)
    everything_of(services, made.id)
    with services.environments["stage"].database.begin() as session:
        session.execute(update(RagDocument).values(promotion_status="promoting"))
    with pytest.raises(ItemRefused, match="running promotion"):
        accounts.delete(developer, made.id)
    with services.environments["stage"].database.begin() as session:
        assert session.scalars(select(User.is_deleted)).all() == [False]
        assert session.scalar(text("SELECT count(*) FROM stored_files WHERE is_deleted")) == 0
