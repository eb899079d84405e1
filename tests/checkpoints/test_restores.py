"""A restore cuts an audit off: two people say so, it is verified from there on, and nothing else is passed over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection
from psycopg import errors as postgres_errors
from sqlalchemy.exc import DBAPIError

from tests.fixtures.restoring import Backup, backup
from tests.fixtures.stack import Stack
from tests.promotion.world import World
from wisqu_pipelines.audit.anchors import CONTROL
from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction, Restore
from wisqu_pipelines.audit.verification import AuditReport
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.checkpoints import chains
from wisqu_pipelines.checkpoints.restores import LostRows
from wisqu_pipelines.devstack import postgres
from wisqu_pipelines.errors import BadInput, NotPermitted, RestoreNotFound, RestoreRefused, UnknownEnvironment
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN
from wisqu_pipelines.settings import load
from wisqu_pipelines.storage.memory import ManualClock

WHY = "From the backup of Sunday night, the disk had failed"
TOO = "I did the restore with them, ticket 4711"

CHANGES = (
    "UPDATE restores SET lost = '[]'",
    "UPDATE restores SET confirm_reason = 'another'",
    "UPDATE restores SET confirmed_by = NULL, confirmed_at = NULL, confirm_reason = NULL, signature = NULL",
    "DELETE FROM restores",
    "INSERT INTO restores SELECT gen_random_uuid(), database, lost, kept, promotions, rollbacks, reason, "
    "reported_by, reported_at, confirmed_by, confirmed_at, confirm_reason, signature FROM restores",
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test seals is free again soon after it."""
    monkeypatch.setattr(chains, "KEPT", timedelta(seconds=30))


@pytest.fixture
def world(services: Services) -> World:
    return World(services)


@pytest.fixture
def saved(stack: Stack, services: Services) -> Iterator[Callable[[str], Backup]]:
    """Makes a backup of a database's state."""
    names = {CONTROL: services.settings.control.database.name} | {
        name: each.database.name for name, each in services.settings.environments.items()
    }
    made: list[Backup] = []

    def save(name: str) -> Backup:
        made.append(backup(stack, names[name]))
        return made[-1]

    yield save
    for each in made:
        each.forget()


@contextmanager
def superuser(stack: Stack, services: Services, name: str) -> Iterator[Connection[tuple[Any, ...]]]:
    database = services.settings.control if name == CONTROL else services.settings.environments[name]
    with postgres.connect(stack.site, database.database.name) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


def verified(services: Services, name: str = "stage") -> AuditReport:
    (report,) = services.checkpoints.verify([name])
    return report


def write(services: Services, environment: str, action: str = "looked") -> None:
    with services.environments[environment].database.begin() as session:
        append(
            session, DeveloperAction(environment=environment, action=action, details={}, occurred_at=datetime.now(UTC))
        )


def lose(world: World, saved: Callable[[str], Backup]) -> UUID:
    """Promote a document to stage, and restore that to what it was before; returns the promotion that is lost."""
    before = saved("stage")
    promotion = world.promote(world.document("lost.md")).promotion_id
    before.restore()
    return promotion


def acknowledge(services: Services) -> None:
    told = services.restores.report("stage", ADMIN, WHY)
    services.restores.confirm(told.id, SUPERADMIN, TOO)


def take_back(services: Services, promotion: UUID) -> None:
    services.promotions.request_rollback(promotion, ADMIN, "it was too early")
    services.promotions.rollback(promotion, run_id="test")


def test_two_people_acknowledge_a_restore_and_the_audit_goes_on(
    stack: Stack, world: World, saved: Callable[[str], Backup]
) -> None:
    services, restores = world.services, world.services.restores
    world.promote(world.document("before.md"))
    lost = lose(world, saved)
    assert not verified(services).holds

    told = restores.report("stage", ADMIN, WHY)
    assert (told.promotions, told.rollbacks) == ((lost,), ())
    assert told.rows == (LostRows("environment_promotions", 1, 2),)
    assert not verified(services).holds, "one person's word"
    with pytest.raises(RestoreRefused, match="second person"):
        restores.confirm(told.id, ADMIN, TOO)
    done = restores.confirm(told.id, SUPERADMIN, TOO)
    assert (done.reported_by, done.confirmed_by) == (ADMIN, SUPERADMIN)
    assert restores.list("stage") == [done]
    assert restores.list("prod") == []

    report = verified(services)
    assert report.holds
    assert report.restores == (told.id,)
    sealed = {each.report.environment: each for each in services.checkpoints.verify_and_seal()}
    assert sealed["stage"].key, "it is sealed again"
    with pytest.raises(RestoreRefused, match="it is already"):
        restores.confirm(told.id, SUPERADMIN, TOO)

    world.promote(world.document("after.md"))
    assert verified(services).holds
    with superuser(stack, services, "stage") as connection:
        connection.execute("DELETE FROM environment_promotions WHERE sequence = 2")
        connection.execute("DELETE FROM audit_chain_heads WHERE chain = 'environment_promotions'")
    assert not verified(services).holds, "what is noted after the restore counts"


def test_what_was_noted_before_a_restore_goes_on_counting(
    stack: Stack, world: World, saved: Callable[[str], Backup]
) -> None:
    services = world.services
    world.promote(world.document("before.md"))
    lose(world, saved)
    acknowledge(services)
    assert verified(services).holds
    with superuser(stack, services, "stage") as connection:
        connection.execute("DELETE FROM environment_promotions")
        connection.execute("DELETE FROM audit_chain_heads WHERE chain = 'environment_promotions'")
    assert not verified(services).holds


def test_what_stands_there_at_the_confirmation_is_noted(
    stack: Stack, world: World, saved: Callable[[str], Backup]
) -> None:
    services = world.services
    lose(world, saved)
    write(services, "stage")
    acknowledge(services)
    assert verified(services).holds
    with superuser(stack, services, "stage") as connection:
        connection.execute("DELETE FROM developer_actions")
        connection.execute("DELETE FROM audit_chain_heads WHERE chain = 'developer_actions'")
    assert not verified(services).holds


def test_what_was_taken_back_and_stands_there_again_is_named(world: World, saved: Callable[[str], Backup]) -> None:
    services = world.services
    promotion = world.promote(world.document()).promotion_id
    kept = world.promote(world.document("kept.md")).promotion_id
    take_back(services, kept)
    before = saved("stage")
    take_back(services, promotion)
    assert world.state("stage")["rows"]["rag_documents"] == {}
    before.restore()
    told = services.restores.report("stage", ADMIN, WHY)
    assert (told.promotions, told.rollbacks) == ((), (promotion,))


def test_only_a_checkpoint_outside_of_the_databases_knows(world: World, saved: Callable[[str], Backup]) -> None:
    services = world.services
    before = saved("dev")
    write(services, "dev")
    assert all(each.key for each in services.checkpoints.verify_and_seal())
    before.restore()
    assert verified(services, "dev").holds, "no promotion has noted the row in the control database"
    assert {each.report.environment for each in services.checkpoints.verify_and_seal() if each.key is None} == {"dev"}
    told = services.restores.report("dev", ADMIN, WHY)
    assert told.rows == (LostRows("developer_actions", 0, 1),)
    services.restores.confirm(told.id, SUPERADMIN, TOO)
    assert all(each.key for each in services.checkpoints.verify_and_seal())


def test_the_control_database_is_restored(world: World, saved: Callable[[str], Backup]) -> None:
    services = world.services
    before = saved(CONTROL)
    world.promote(world.document())
    assert all(each.key for each in services.checkpoints.verify_and_seal())
    before.restore()
    with pytest.raises(NotPermitted, match="one of: superadmin"):
        services.restores.report(CONTROL, ADMIN, WHY)
    sealed = {each.report.environment: each.key for each in services.checkpoints.verify_and_seal()}
    assert sealed[CONTROL] is None
    told = services.restores.report(CONTROL, SUPERADMIN, WHY)
    assert [each.chain for each in told.rows] == ["environment_access_log"]
    services.people.create("second@demo.wisqu.com", None, "a long enough phrase 4711", SUPERADMIN, WHY)
    services.people.grant("second@demo.wisqu.com", "prod", "superadmin", SUPERADMIN, WHY)
    services.restores.confirm(told.id, "second@demo.wisqu.com", TOO)
    assert all(each.key for each in services.checkpoints.verify_and_seal())


def test_no_restore_explains_what_somebody_edited(stack: Stack, world: World, saved: Callable[[str], Backup]) -> None:
    services = world.services
    world.promote(world.document("before.md"))
    lose(world, saved)
    with superuser(stack, services, "stage") as connection:
        connection.execute("UPDATE environment_promotions SET reason = 'another' WHERE sequence = 1")
    with pytest.raises(RestoreRefused, match="no restore explains that of environment_promotions 1: it is not what"):
        services.restores.report("stage", ADMIN, WHY)


def test_what_is_cut_off_after_the_report_is_not_confirmed_with_it(
    stack: Stack, world: World, saved: Callable[[str], Backup]
) -> None:
    services = world.services
    first = saved("stage")
    world.promote(world.document("before.md"))
    second = saved("stage")
    world.promote(world.document("lost.md"))
    second.restore()
    told = services.restores.report("stage", ADMIN, WHY)
    first.restore()
    with pytest.raises(RestoreRefused, match="other rows are lost now"):
        services.restores.confirm(told.id, SUPERADMIN, TOO)
    acknowledge(services)
    assert verified(services).holds


def test_what_needs_no_restore_or_no_such_person_is_refused(world: World, saved: Callable[[str], Backup]) -> None:
    restores = world.services.restores
    with pytest.raises(RestoreRefused, match="nothing is cut off"):
        restores.report("stage", ADMIN, WHY)
    with pytest.raises(UnknownEnvironment, match="control"):
        restores.report("test", ADMIN, WHY)
    with pytest.raises(BadInput, match="the reason"):
        restores.report("stage", ADMIN, "oops")
    with pytest.raises(RestoreNotFound, match="wisqu audit restores"):
        restores.confirm(UUID(int=1), ADMIN, TOO)
    lose(world, saved)
    with pytest.raises(NotPermitted):
        restores.report("stage", DEVELOPER, WHY)
    told = restores.report("stage", ADMIN, WHY)
    with pytest.raises(NotPermitted):
        restores.confirm(told.id, DEVELOPER, TOO)


def test_a_confirmation_that_nobody_signed_counts_for_nothing(
    stack: Stack, world: World, saved: Callable[[str], Backup]
) -> None:
    services = world.services
    lose(world, saved)
    services.restores.report("stage", ADMIN, WHY)
    with superuser(stack, services, CONTROL) as connection:
        connection.execute(
            "UPDATE restores SET confirmed_by = gen_random_uuid(), confirmed_at = now(), confirm_reason = 'because', "
            "signature = 'signed'"
        )
    assert not verified(services).holds


def test_a_signature_is_on_what_was_lost_then(stack: Stack, world: World, saved: Callable[[str], Backup]) -> None:
    services = world.services
    lose(world, saved)
    acknowledge(services)
    with superuser(stack, services, CONTROL) as connection:
        connection.execute("""UPDATE restores SET lost = lost || '[["developer_actions", 7, "00"]]'""")
    assert not verified(services).holds


def test_the_database_lets_nobody_change_what_was_said(world: World, saved: Callable[[str], Backup]) -> None:
    services = world.services
    lose(world, saved)
    acknowledge(services)
    for change in CHANGES:
        with pytest.raises(DBAPIError) as refused, services.control.begin() as session:
            session.connection().exec_driver_sql(change)
        assert isinstance(refused.value.orig, postgres_errors.CheckViolation | postgres_errors.InsufficientPrivilege)
    with services.control.begin() as session:
        assert session.query(Restore).count() == 1


def test_a_database_that_is_away_keeps_no_other_from_being_read(services: Services) -> None:
    environments = {name: each.model_dump() for name, each in load().environments.items()}
    environments["stage"]["database"]["port"] = 1
    with open_services(load(environments=environments), ManualClock(datetime.now(UTC))) as opened:
        reports = {each.environment: each for each in opened.checkpoints.verify()}
        sealed = {each.report.environment: each for each in opened.checkpoints.verify_and_seal()}
    assert [name for name, each in reports.items() if each.holds] == ["dev", "prod", CONTROL]
    assert "does not answer" in str(reports["stage"].unread)
    assert [name for name, each in sealed.items() if each.key] == ["dev", "prod", CONTROL]
    assert "does not answer" in str(sealed["stage"].report.unread)
