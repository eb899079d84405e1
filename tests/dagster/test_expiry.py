"""The hourly job that ends test accounts."""

from datetime import UTC, datetime, timedelta

import pytest
from dagster import DefaultScheduleStatus, Definitions, build_schedule_context
from sqlalchemy import select, update

from tests.dagster.conftest import World, output_metadata
from wisqu_pipelines import definitions
from wisqu_pipelines.accounts.service import TestAccountService
from wisqu_pipelines.catalog.models import User
from wisqu_pipelines.errors import StoreUnavailable
from wisqu_pipelines.identity import demo_people, people

JOB, OP = "test_account_expiry", "expire_test_accounts"
REAL = {"dry_run": False}
REASON = "Debugging issue 4711, a user cannot log in"


def make_accounts(world: World, environment: str) -> None:
    """One whose time is over, and one that lives."""
    with world.services.control.begin() as session:
        person = people.find(session, demo_people.DEVELOPER).id
    developer = world.services.developer(person, environment)
    over, _ = (world.services.test_accounts(environment).create(developer, REASON, 1) for _ in range(2))
    with world.services.environments[environment].database.begin() as session:
        past = world.services.clock.now() - timedelta(seconds=1)
        session.execute(update(User).where(User.id == over.id).values(test_expires_at=past))


def live(world: World, environment: str) -> int:
    with world.services.environments[environment].database.begin() as session:
        return len(session.scalars(select(User.id)).all())


def test_what_has_expired_goes_in_every_environment(world: World) -> None:
    for environment in ("stage", "prod"):
        make_accounts(world, environment)
    result = world.run(JOB, OP, REAL)
    assert result.success
    shown = output_metadata(result)
    assert {name: shown[name] for name in ("dev", "stage", "prod")} == {"dev": 0, "stage": 1, "prod": 1}
    assert (live(world, "stage"), live(world, "prod")) == (1, 1)
    again = output_metadata(world.run(JOB, OP, REAL))
    assert again["stage"] == 0


def test_it_begins_as_a_dry_run(world: World) -> None:
    make_accounts(world, "stage")
    shown = output_metadata(world.run(JOB, OP, {}))
    assert (shown["stage"], shown["dry run"], shown["developers warned"]) == (1, True, 0)
    assert live(world, "stage") == 2


def test_an_environment_that_is_away_keeps_no_other_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for environment in ("stage", "prod"):
        make_accounts(world, environment)
    expire = TestAccountService.expire

    def away(service: TestAccountService) -> object:
        if service._environment.name == "stage":
            raise StoreUnavailable(store="database wisqu_stage", operation="transaction", cause="gone")
        return expire(service)

    monkeypatch.setattr(TestAccountService, "expire", away)
    assert not world.run(JOB, OP, REAL).success
    assert (live(world, "stage"), live(world, "prod")) == (2, 1)


def test_it_runs_every_hour_from_the_start() -> None:
    loaded: Definitions = definitions.wisqu_pipelines()
    schedule = loaded.get_repository_def().get_schedule_def("test_account_expiry_schedule")
    assert schedule.job_name == JOB
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("5 * * * *", "UTC")
    assert schedule.default_status == DefaultScheduleStatus.RUNNING
    context = build_schedule_context(scheduled_execution_time=datetime(2026, 3, 29, 2, 5, tzinfo=UTC))
    (asked,) = schedule.evaluate_tick(context).run_requests or ()
    assert asked.run_config["ops"][OP]["config"] == REAL
