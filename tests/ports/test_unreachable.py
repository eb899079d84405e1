"""Stores that are not there, come back, or do not know us; and what their errors never say."""

import logging
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from tests.ports.proxies import HOST, flaky_relay, free_port
from wisqu_pipelines.errors import StoreDenied, StoreUnavailable
from wisqu_pipelines.settings import EnvironmentSettings, Settings
from wisqu_pipelines.storage.qdrant import QdrantVectorIndex
from wisqu_pipelines.storage.redis_cache import RedisCache
from wisqu_pipelines.storage.s3 import S3ObjectStore

STORES = ["object store", "vector index", "cache"]
WRONG = SecretStr("wrong-secret-1f7c")
BOUND = 45
"""Seconds within which a store that is not there must be given up, on a busy machine."""


@pytest.fixture
def dev(stores: Settings) -> EnvironmentSettings:
    return stores.environments["dev"]


def ask(store: str, settings: EnvironmentSettings) -> object:
    """Ask a store for something that needs its answer."""
    if store == "object store":
        return S3ObjectStore(settings.object_store).stat("dev-unreachable", "key")
    if store == "vector index":
        return QdrantVectorIndex(settings.vector_index).collections()
    return RedisCache(settings.cache, settings.cache.databases.limits).get("unreachable")


def named(store: str, settings: EnvironmentSettings) -> str:
    """What an error calls a store: one whose name an operation does not give away is named by its address."""
    return {
        "object store": store,
        "vector index": f"{store} at {settings.vector_index.url.removeprefix('http://')}",
        "cache": f"Redis database at {settings.cache.address(settings.cache.databases.limits)}",
    }[store]


def at_port(settings: EnvironmentSettings, port: int) -> EnvironmentSettings:
    return settings.model_copy(
        update={
            "object_store": settings.object_store.model_copy(update={"endpoint": f"{HOST}:{port}"}),
            "vector_index": settings.vector_index.model_copy(update={"url": f"http://{HOST}:{port}"}),
            "cache": settings.cache.model_copy(update={"host": HOST, "port": port}),
        }
    )


def with_wrong_secrets(settings: EnvironmentSettings) -> EnvironmentSettings:
    return settings.model_copy(
        update={
            "object_store": settings.object_store.model_copy(update={"secret_key": WRONG}),
            "vector_index": settings.vector_index.model_copy(update={"api_key": WRONG}),
            "cache": settings.cache.model_copy(update={"password": WRONG}),
        }
    )


def secrets_of(settings: EnvironmentSettings) -> list[str]:
    values = (settings.object_store.secret_key, settings.vector_index.api_key, settings.cache.password)
    return [each.get_secret_value() for each in values]


def failure(act: Callable[[], object]) -> Exception:
    try:
        act()
    except Exception as error:
        return error
    pytest.fail("it did not fail")


def test_a_server_that_is_not_there_is_unavailable_within_bounded_time(
    dev: EnvironmentSettings, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    nowhere = at_port(dev, free_port())
    began = time.monotonic()
    with ThreadPoolExecutor(len(STORES)) as pool:
        errors = list(pool.map(lambda store: failure(lambda: ask(store, nowhere)), STORES))
    assert time.monotonic() - began < BOUND
    for store, error in zip(STORES, errors, strict=True):
        assert isinstance(error, StoreUnavailable)
        assert f"The {named(store, nowhere)} does not answer" in str(error)
    _assert_no_secret(errors, caplog, secrets_of(dev))
    assert "retry" in caplog.text
    assert capsys.readouterr().out == ""  # which belongs to the command


def test_wrong_credentials_are_denied_at_once(dev: EnvironmentSettings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    stranger = with_wrong_secrets(dev)
    errors = []
    for store in STORES:
        began = time.monotonic()
        errors.append(failure(lambda store=store: ask(store, stranger)))  # type: ignore[misc]
        assert time.monotonic() - began < 5
        assert isinstance(errors[-1], StoreDenied)
        assert f"The {named(store, stranger)} refused these credentials" in str(errors[-1])
    _assert_no_secret(errors, caplog, [WRONG.get_secret_value()])


@pytest.mark.parametrize("store", STORES)
def test_a_server_that_comes_back_is_found_again(dev: EnvironmentSettings, store: str) -> None:
    host, port = {
        "object store": dev.object_store.endpoint.split(":"),
        "vector index": dev.vector_index.url.removeprefix("http://").split(":"),
        "cache": (dev.cache.host, str(dev.cache.port)),
    }[store]
    with flaky_relay(host, int(port), failures=3) as relay:
        assert ask(store, at_port(dev, relay)) in (None, QdrantVectorIndex(dev.vector_index).collections())


def test_a_store_says_where_it_is_and_not_how_to_get_in(dev: EnvironmentSettings) -> None:
    shown = [
        repr(S3ObjectStore(dev.object_store)),
        repr(QdrantVectorIndex(dev.vector_index)),
        repr(RedisCache(dev.cache, 2)),
    ]
    assert dev.object_store.endpoint in shown[0]
    assert dev.vector_index.url in shown[1]
    assert f"{dev.cache.host}:{dev.cache.port}/2" in shown[2]
    assert not [text for text in shown for secret in secrets_of(dev) if secret in text]


def _assert_no_secret(errors: list[Exception], caplog: pytest.LogCaptureFixture, secrets: list[str]) -> None:
    shown = [caplog.text, *("".join(traceback.format_exception(error)) for error in errors)]
    for text in shown:
        assert not [secret for secret in secrets if secret in text]
        assert "Signature=" not in text
        assert "AWS4-HMAC" not in text
