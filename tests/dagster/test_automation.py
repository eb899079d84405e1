"""What Dagster does without anybody at the keyboard: its sensors, its schedules, and the jobs that they start."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    AssetKey,
    DagsterEventType,
    Definitions,
    RunRequest,
    SensorDefinition,
    SensorResult,
    SkipReason,
    build_run_status_sensor_context,
    build_sensor_context,
)
from dagster._utils.schedules import schedule_execution_time_iterator
from sqlalchemy import update

from tests.dagster.conftest import World, failure_of, launch, output_metadata
from tests.fixtures.stack import PROJECT, Stack
from tests.promotion.world import World as Items
from tests.retention.conftest import Rows
from wisqu_pipelines import definitions
from wisqu_pipelines.automation.models import CiResult
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.checkpoints import chains
from wisqu_pipelines.devstack import postgres
from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.identity import people
from wisqu_pipelines.identity.demo_people import ADMIN, AUTOMATION, DEVELOPER, SUPERADMIN
from wisqu_pipelines.notifications.events import Event
from wisqu_pipelines.notifications.service import Told
from wisqu_pipelines.ports.clock import SystemClock
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.resources.wisqu import WisquResource
from wisqu_pipelines.retention.models import SweepState
from wisqu_pipelines.sensors.notifications import OLD, failed_runs_sensor


def tick(world: World, name: str, cursor: str | None = None) -> tuple[Sequence[RunRequest], str]:
    """What a sensor asks for, and why it asks for no more."""
    sensor = world.definitions.get_repository_def().get_sensor_def(name)
    assert isinstance(sensor, SensorDefinition)
    with build_sensor_context(instance=world.instance, resources={"wisqu": WisquResource()}, cursor=cursor) as context:
        found: Any = sensor(context)
    if isinstance(found, SkipReason):
        return [], found.skip_message or ""
    assert isinstance(found, SensorResult)
    skipped = found.skip_reason
    return list(found.run_requests or ()), skipped.skip_message or "" if isinstance(skipped, SkipReason) else ""


def told(world: World) -> Mapping[str, Told]:
    return {each.event: each for each in world.services.notifications.list()}


def fail(world: World, result: Any, **tags: str) -> None:
    """Let the sensor see a run that failed; Dagster may have given it tags with that."""
    world.instance.add_run_tags(result.run_id, {f"dagster/{name}": each for name, each in tags.items()})
    (event,) = [each for each in result.all_events if each.event_type == DagsterEventType.RUN_FAILURE]
    run = world.instance.get_run_by_id(result.run_id)
    assert run is not None
    with build_run_status_sensor_context(
        failed_runs_sensor.name, event, world.instance, run, resources={"wisqu": WisquResource()}
    ) as context:
        failed_runs_sensor(context.for_run_failure())


def test_a_refused_and_a_failed_run_are_told_with_their_sentences(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Items(world.services).document()
    promotion = world.preview("rag_documents")
    refused = world.run("promotion_execute", "execute_promotion", {"promotion_id": str(promotion)})
    fail(world, refused)
    message = told(world)[Event.RUN_REFUSED]
    assert message.title == "promotion_execute dev->stage was refused"
    assert str(promotion) in message.body
    assert message.body.endswith(f"/runs/{refused.run_id}")
    fail(world, world.run("promotion_execute", "execute_promotion", {"promotion_id": str(promotion)}))
    assert told(world)[Event.RUN_REFUSED].repeats == 1

    def broken(*arguments: object, **more: object) -> None:
        raise ValueError("no such luck")

    monkeypatch.setattr("wisqu_pipelines.accounts.service.TestAccountService.expire", broken)
    fail(world, world.run("test_account_expiry", "expire_test_accounts", {"dry_run": False}))
    assert "no such luck" in told(world)[Event.RUN_FAILED].body
    assert "tries it again" not in told(world)[Event.RUN_FAILED].body
    monkeypatch.setattr("wisqu_pipelines.assets.inventory.count_table", broken)
    job = world.definitions.get_repository_def().get_job("__ASSET_JOB")  # of backfills, and of an asset's page
    users = [AssetKey(["dev", "users"])]
    crashed = job.execute_in_process(instance=world.instance, asset_selection=users, raise_on_error=False)
    fail(world, crashed, will_retry="true")
    bodies = {each.title: each.body for each in world.services.notifications.list()}
    assert "Dagster tries it again by itself" in bodies["dev/users failed"]
    assert tick(world, "notifications_sensor")[1] == "0 messages were delivered.", "they wait for a target"


def test_runs_are_found_by_who_asked_for_what_they_do(world: World) -> None:
    items = Items(world.services)
    items.document()
    promotions = world.services.promotions
    planned = promotions.preview_promotion("rag_documents", "dev", "stage", requested_by_user_id=items.person())
    world.services.approvals.grant(planned.promotion_id, ADMIN)
    done = world.run("promotion_execute", "execute_promotion", {"promotion_id": str(planned.promotion_id)})
    promotions.request_rollback(planned.promotion_id, ADMIN, "The wrong edition")
    back = world.run("promotion_rollback", "rollback_promotion", {"promotion_id": str(planned.promotion_id)})
    for result, person in ((done, DEVELOPER), (back, ADMIN)):
        run = world.instance.get_run_by_id(result.run_id)
        assert run is not None
        assert {name: value for name, value in run.tags.items() if name.startswith("wisqu/")} == {
            "wisqu/promotion": str(planned.promotion_id),
            "wisqu/path": "dev->stage",
            "wisqu/person": person,
        }


def test_an_approved_sweep_is_hidden_once(world: World) -> None:
    rows = Rows(world.services, "prod")
    rows.document()
    assert tick(world, "sweeps_sensor") == ([], "No approved sweep waits.")
    sweep = rows.retention.run(person=DEVELOPER, reason="the yearly clean-up").sweep.sweep_id
    assert sweep is not None
    assert tick(world, "sweeps_sensor")[0] == []
    rows.retention.approve(sweep, SUPERADMIN)
    (asked,), _ = tick(world, "sweeps_sensor")
    assert (asked.tags["wisqu/environment"], asked.tags["wisqu/sweep"]) == ("prod", str(sweep))
    assert launch(world, RunRequest(asked.run_key, asked.run_config, asked.tags, job_name="retention_cleanup"))
    assert rows.retention.status(sweep).state == SweepState.HIDDEN
    assert rows.visible(RagDocument) == set()
    assert tick(world, "sweeps_sensor")[0] == []


def test_what_has_waited_for_ten_minutes_is_previewed_once(world: World) -> None:
    Items(world.services).document()
    assert tick(world, "approved_items_sensor")[0] == []
    with world.services.environments["dev"].database.begin() as session:
        for model in (StoredFile, RagDocument):
            session.execute(update(model).values(updated_at=datetime.now(UTC) - timedelta(minutes=11)))
    (asked,), _ = tick(world, "approved_items_sensor")
    assert tick(world, "approved_items_sensor")[0][0].run_key == asked.run_key, "a second daemon asks for the same run"
    assert launch(world, RunRequest(asked.run_key, asked.run_config, asked.tags, job_name="promotion_request"))
    assert tick(world, "approved_items_sensor")[0] == []
    assert told(world)[Event.APPROVAL_WANTED].address in {ADMIN, SUPERADMIN, DEVELOPER, AUTOMATION}


def test_what_ci_posts_starts_a_run_once(world: World) -> None:
    delivery = uuid4()
    with world.services.control.begin() as session:
        session.add(
            CiResult(
                delivery_id=delivery, commit="9afba49", suite="unit", outcome="passed", received_at=datetime.now(UTC)
            )
        )
    (asked,), _ = tick(world, "ci_results")
    assert asked.tags["wisqu/ci-delivery"] == str(delivery)
    assert launch(world, RunRequest(asked.run_key, asked.run_config, asked.tags, job_name="promotion_after_tests"))
    assert tick(world, "ci_results") == ([], "CI has said nothing new.")
    bad = world.run("promotion_after_tests", "promote_after_tests", {"delivery_id": "x"})
    assert not bad.success


def test_an_inventory_that_is_old_is_told_once(world: World) -> None:
    now = datetime.now(UTC)
    recently, long_ago = str((now - OLD + timedelta(minutes=5)).timestamp()), str((now - OLD * 2).timestamp())
    count = len(world.definitions.resolve_job_def("inventory").graph.node_dict)
    assert tick(world, "freshness_sensor", recently)[1] == f"0 of {count} inventories are old."
    job = world.definitions.resolve_job_def("inventory")
    one = next(iter(job.asset_layer.selected_asset_keys))
    assert job.execute_in_process(asset_selection=[one], instance=world.instance).success
    for _ in range(2):
        assert tick(world, "freshness_sensor", long_ago)[1] == f"{count - 1} of {count} inventories are old."
    stale = [each for each in world.services.notifications.list(100) if each.event == Event.STALE]
    assert len(stale) == count - 1


def test_developers_are_warned_once(world: World) -> None:
    services = world.services
    with services.control.begin() as session:
        dana = people.find(session, DEVELOPER).id
    developer = services.developer(dana, "stage")
    soon = services.test_accounts("stage").create(developer, "trying the expiry", 3)
    services.test_accounts("stage").create(developer, "trying the expiry", 12)
    for _ in range(2):
        assert world.run("test_account_expiry", "expire_test_accounts", {"dry_run": False}).success
    (message,) = services.notifications.list()
    assert (message.event, message.address) == (Event.ACCOUNT_ENDS, DEVELOPER)
    assert soon.email in message.body


def test_old_runs_are_purged_and_others_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = world.run("test_account_expiry", "expire_test_accounts", {"dry_run": False}).run_id
    later = datetime.now(UTC) + timedelta(days=89)
    monkeypatch.setattr(SystemClock, "now", lambda self: later)
    assert output_metadata(world.run("run_purge", "purge_runs", {"dry_run": False}))["runs"] == 0
    monkeypatch.setattr(SystemClock, "now", lambda self: later + timedelta(days=2))
    assert output_metadata(world.run("run_purge", "purge_runs", {}))["runs"] == 2, "it begins as a dry run"
    assert world.instance.get_run_by_id(first) is not None
    done = world.run("run_purge", "purge_runs", {"dry_run": False})
    assert output_metadata(done)["runs"] == 3
    assert [each.run_id for each in world.instance.get_runs()] == [done.run_id]
    assert not world.run("run_purge", "purge_runs", {"days": 0}).success


def test_promotions_that_nobody_decides_on_lapse(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    Items(world.services).document()
    promotion = world.preview("rag_documents")
    later = datetime.now(UTC) + timedelta(days=31)
    monkeypatch.setattr(SystemClock, "now", lambda self: later)
    shown = output_metadata(world.run("promotion_lapse", "lapse_promotions", {}))
    assert (shown["promotions"], shown["dry run"], shown["days"]) == (1, True, 30)
    assert [each.data["promotion_id"] for each in shown["which"].records] == [str(promotion)]
    assert world.services.promotions.status(promotion).state == PromotionState.PLANNED, "it begins as a dry run"
    shown = output_metadata(world.run("promotion_lapse", "lapse_promotions", {"dry_run": False}))
    assert (shown["promotions"], shown["dry run"]) == (1, False)
    assert [each.data["state"] for each in shown["which"].records] == ["refused"]
    assert world.services.promotions.status(promotion).state == PromotionState.REFUSED


def test_the_audit_is_sealed_and_damage_is_told(world: World, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "KEPT", timedelta(seconds=30))
    Items(world.services).document()
    Items(world.services).promote()
    done = world.run("audit_verification", "verify_audit", {})
    assert "dev/20" in output_metadata(done)["audit"]
    with postgres.connect(stack.site, world.services.settings.environments["stage"].database.name) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("UPDATE environment_promotions SET reason = 'another one'")
    assert not world.run("audit_verification", "verify_audit", {}).success
    assert "environment_promotions 1" in told(world)[Event.AUDIT_BROKEN].body


def test_the_audit_is_sealed_where_it_can_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "KEPT", timedelta(seconds=30))
    monkeypatch.setenv("WISQU_ENVIRONMENTS__STAGE__DATABASE__PORT", "1")
    done = world.run("audit_verification", "verify_audit", {})
    sentence, shown = failure_of(done)
    assert "stage: The database" in sentence
    assert "| stage | 0 | 0 | 0 | **not** |" in shown["audit"]
    assert "prod/20" in shown["audit"]


# By the clocks


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Definitions:
    """Every schedule by Berlin's clocks, the nightly ones in the hour that is left out, and comes twice."""
    monkeypatch.setenv("WISQU_CONFIG", str(PROJECT / "wisqu.toml"))
    for name, cron in {
        "RETENTION": "30 2 * * *",
        "TEST_ACCOUNT_EXPIRY": "5 * * * *",
        "STORAGE_AUDIT": "30 2 * * SUN",
        "INVENTORY": "30 2 * * *",
        "AUDIT_VERIFICATION": "30 2 29 * *",
        "PROMOTION_LAPSE": "30 2 * * *",
        "RUN_PURGE": "30 2 * * *",
        "METRICS": "30 2 * * *",
        "REPORT": "30 2 * * SUN",
    }.items():
        monkeypatch.setenv(f"WISQU_SCHEDULES__{name}__CRON", cron)
        monkeypatch.setenv(f"WISQU_SCHEDULES__{name}__TIME_ZONE", "Europe/Berlin")
    return definitions.wisqu_pipelines()


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 5), 24)])
def test_every_schedule_runs_once_also_when_the_clocks_change(in_berlin: Definitions, day: date, hours: int) -> None:
    """On the Sunday itself: hourly as often as it has hours, nightly and weekly once, in the hour or right after it."""
    berlin = ZoneInfo("Europe/Berlin")
    begin, end = (datetime.combine(each, time(), berlin) for each in (day, day + timedelta(days=1)))
    for schedule in in_berlin.get_repository_def().schedule_defs:
        if schedule.name.startswith("promotion_request"):
            continue
        ticks = schedule_execution_time_iterator(
            begin.timestamp(), str(schedule.cron_schedule), schedule.execution_timezone, ascending=True
        )
        found = list(itertools.takewhile(lambda at: at.timestamp() < end.timestamp(), ticks))
        wanted = {"test_account_expiry_schedule": hours, "audit_verification_schedule": int(day.day == 29)}
        assert len(found) == wanted.get(schedule.name, 1), schedule.name
        if len(found) == 1:
            assert found[0].astimezone(berlin).hour in {2, 3}, schedule.name


@pytest.mark.parametrize(
    ("name", "value"), [("CRON", "at night"), ("CRON", "* * * * * *"), ("TIME_ZONE", "Europe/Atlantis")]
)
def test_a_schedule_that_means_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("WISQU_CONFIG", str(PROJECT / "wisqu.toml"))
    monkeypatch.setenv(f"WISQU_SCHEDULES__INVENTORY__{name}", value)
    with pytest.raises(BadSettings, match=r"schedules: inventory"):
        definitions.wisqu_pipelines()
