"""One swapped setting refuses to start, and names the store."""

import json
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import delete

from tests.cli.conftest import Wisqu, wisqu
from wisqu_pipelines import migrations
from wisqu_pipelines.bootstrap import Services, check_stores, open_services, set_up
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.environments import schema
from wisqu_pipelines.environments.markers import MARKER_KEY, MARKER_OBJECT, StoreCondition
from wisqu_pipelines.environments.models import RegisteredEnvironment
from wisqu_pipelines.errors import SchemaDiffers, StoreNotSetUp, StoreOverwrites, WrongStore
from wisqu_pipelines.settings import Settings, load
from wisqu_pipelines.storage import s3_requests

__all__ = ["wisqu"]


def swapped(settings: Settings, section: str, *fields: str) -> Settings:
    """The settings, with dev's fields of a section replaced by stage's."""
    values: dict[str, Any] = {name: each.model_dump() for name, each in settings.environments.items()}
    for name in fields:
        values["dev"][section][name] = values["stage"][section][name]
    for value in values.values():
        value.pop("name")
    return load(environments=values)


@pytest.mark.parametrize(
    ("section", "fields", "store"),
    [
        ("database", ("name",), "database"),
        ("database", ("name", "user", "password"), "database"),
        ("database", ("user",), "database"),
        ("database", ("password",), "database"),
        ("object_store", ("access_key",), "bucket dev-"),
        ("object_store", ("secret_key",), "bucket dev-"),
        ("object_store", ("access_key", "secret_key"), "bucket dev-"),
        ("vector_index", ("url",), "vector index"),
        ("vector_index", ("api_key",), "vector index"),
        ("vector_index", ("url", "api_key"), "vector index"),
        ("cache", ("username",), "Redis database for cache"),
        ("cache", ("databases",), "Redis database for cache"),
        ("cache", ("username", "password", "databases"), "Redis database for cache"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else value,
)
def test_a_swapped_setting_refuses_and_names_the_store(
    services: Services, section: str, fields: tuple[str, ...], store: str
) -> None:
    with open_services(swapped(services.settings, section, *fields)) as wrong:
        with pytest.raises(WrongStore, match=f"The {store}.* of 'dev' is not its own"):
            _ = wrong.environments["dev"]
        assert wrong.environments["stage"].name == "stage", "the others are not kept from working"


def test_two_redis_databases_of_one_environment_are_not_swapped_either(services: Services) -> None:
    values: dict[str, Any] = {name: each.model_dump() for name, each in services.settings.environments.items()}
    databases = values["dev"]["cache"]["databases"]
    databases["cache"], databases["sessions"] = databases["sessions"], databases["cache"]
    for value in values.values():
        value.pop("name")
    with (
        open_services(load(environments=values)) as wrong,
        pytest.raises(WrongStore, match="it is the environment's Redis database for sessions"),
    ):
        _ = wrong.environments["dev"]


def test_a_store_of_another_installation_is_refused(services: Services) -> None:
    owner = services.settings.control.database
    database = Database(owner, owner=True)
    with database.begin() as session:
        session.execute(delete(RegisteredEnvironment).where(RegisteredEnvironment.name == "dev"))
    database.close()
    with pytest.raises(WrongStore, match="another installation's 'dev'"):
        set_up(services.settings, "dev")


def test_a_flushed_redis_database_is_told_and_set_up_again(services: Services) -> None:
    services.environments["dev"].cache.delete(MARKER_KEY)
    with open_services(services.settings) as again, pytest.raises(StoreNotSetUp, match="wisqu env init dev"):
        _ = again.environments["dev"]
    set_up(services.settings, "dev")
    with open_services(services.settings) as again:
        assert again.environments["dev"].name == "dev"


def test_a_server_that_overwrites_although_it_is_told_not_to_is_not_set_up(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = services.environments["dev"].settings.get_bucket_name(services.settings.default_bucket)
    objects = services.environments["dev"].objects
    objects.delete(bucket, [MARKER_OBJECT])
    with monkeypatch.context() as patch:
        patch.setattr(s3_requests, "IF_NEW", {})  # as a server sees it that does not look at the condition
        for _ in range(2):
            with pytest.raises(StoreOverwrites, match=f"bucket {bucket} of 'dev' overwrites"):
                set_up(services.settings, "dev")
    set_up(services.settings, "dev")
    assert objects.stat(bucket, MARKER_OBJECT) is not None


def test_env_check_shows_each_store(wisqu: Wisqu, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    states = wisqu("env", "check", "--json").json
    assert {state["condition"] for state in states} == {"ok"}
    assert {state["environment"] for state in states} == {"control", "identity", "dev", "stage", "prod"}
    assert len(states) == 1 + 1 + 3 * (1 + 2 + 1 + 3) + len(services.settings.paths)
    stage = services.settings.environments["stage"].vector_index
    monkeypatch.setenv("WISQU_ENVIRONMENTS__DEV__VECTOR_INDEX__URL", stage.url)
    monkeypatch.setenv("WISQU_ENVIRONMENTS__DEV__VECTOR_INDEX__API_KEY", stage.api_key.get_secret_value())
    ran = wisqu("env", "check")
    assert ran.code == 2
    assert "it belongs to 'stage'" in ran.out
    monkeypatch.setenv("WISQU_ENVIRONMENTS__DEV__VECTOR_INDEX__URL", "http://127.0.0.1:1")
    (state,) = [state for state in check_stores(load(), "dev") if state.store == "vector index"]
    assert state.condition is StoreCondition.UNAVAILABLE
    assert "vector index at 127.0.0.1:1 does not answer" in state.detail, "an error elsewhere says which one it was too"
    assert wisqu("env", "check", "dev").code == 1
    assert wisqu("env", "check", "moon").code == 2


def test_env_check_tells_of_the_control_database_and_of_the_counter_of_logins(
    wisqu: Wisqu, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WISQU_IDENTITY__LIMITS__PASSWORD", "wrong")
    found = {state.environment: str(state.condition) for state in check_stores(load(), "dev")}
    assert found == {"control": "ok", "identity": "denied", "dev": "ok"}
    monkeypatch.setenv("WISQU_CONTROL__DATABASE__PORT", "1")
    ran = wisqu("env", "check", "dev", "--json")
    assert [(state["environment"], state["condition"]) for state in json.loads(ran.out)] == [
        ("control", "unavailable"),
        ("identity", "denied"),
    ]
    assert ran.code == 2, "what no waiting mends is told by the exit code"


def test_env_check_tells_of_the_accounts_for_copies(
    wisqu: Wisqu, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    del services
    monkeypatch.setenv("WISQU_PATHS__DEV_TO_STAGE__TRANSFER__SECRET_KEY", "wrong")
    found = {state.store: str(state.condition) for state in check_stores(load(), "stage") if "copies" in state.store}
    assert found == {"account for copies along dev->stage": "denied"}
    assert wisqu("env", "check", "stage").code == 2
    assert wisqu("env", "check", "prod").code == 0


@pytest.mark.parametrize("history", ["control", "environment"])
def test_a_forgotten_upgrade_is_told_before_anything_is_done(
    wisqu: Wisqu, services: Services, history: migrations.History
) -> None:
    where = services.settings.control if history == "control" else services.settings.environments["dev"]
    with closing(Database(where.database, owner=True)) as owner:
        migrations.downgrade(owner, history)
    with open_services(services.settings) as old, pytest.raises(SchemaDiffers, match="'wisqu env init'"):
        _ = old.environments["dev"]
    conditions = {state.store: state.condition for state in check_stores(services.settings, "dev")}
    assert conditions["database"] is StoreCondition.OTHER_SCHEMA
    assert wisqu("env", "check", "dev").code == 2
    assert schema.REVISIONS[history] in wisqu("--version").out, "what whoever upgrades compares it with"
    set_up(services.settings, "dev")
    assert wisqu("env", "check", "dev").code == 0
