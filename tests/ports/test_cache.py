"""What every cache does."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.ports.conftest import Keys
from wisqu_pipelines.errors import StoreFailed
from wisqu_pipelines.storage.memory import ManualClock, MemoryCache


def test_a_key_that_was_never_set_has_no_value(keys: Keys) -> None:
    assert keys.cache.get(f"{keys.prefix}none") is None


@pytest.mark.parametrize("value", [b"", b"\x00\xff\r\n", "سلام".encode(), b"x" * 1_000_000])
def test_a_value_comes_back_as_it_was(keys: Keys, value: bytes) -> None:
    keys.cache.set(f"{keys.prefix}key", value)
    assert keys.cache.get(f"{keys.prefix}key") == value


def test_setting_again_replaces_value_and_ttl(keys: Keys) -> None:
    key = f"{keys.prefix}key"
    keys.cache.set(key, b"old", ttl=timedelta(milliseconds=50))
    keys.cache.set(key, b"new")
    time.sleep(0.1)
    assert keys.cache.get(key) == b"new"


def test_a_key_with_a_ttl_goes_when_it_is_over(keys: Keys) -> None:
    key = f"{keys.prefix}key"
    keys.cache.set(key, b"value", ttl=timedelta(milliseconds=50))
    deadline = time.monotonic() + 10
    while keys.cache.get(key) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_key_with_a_ttl_is_there_before(keys: Keys) -> None:
    keys.cache.set(f"{keys.prefix}key", b"value", ttl=timedelta(minutes=5))
    assert keys.cache.get(f"{keys.prefix}key") == b"value"


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1)])
def test_a_ttl_that_is_no_time_fails(keys: Keys, ttl: timedelta) -> None:
    with pytest.raises(StoreFailed):
        keys.cache.set(f"{keys.prefix}key", b"value", ttl=ttl)


def test_deleting_tells_how_many_there_were(keys: Keys) -> None:
    names = [f"{keys.prefix}{each}" for each in "abc"]
    for name in names[:2]:
        keys.cache.set(name, b"value")
    assert keys.cache.delete(*names) == 2
    assert keys.cache.delete(*names) == 0
    assert keys.cache.delete() == 0
    assert keys.cache.get(names[0]) is None


def test_deleting_by_prefix_takes_all_of_them_and_no_other(keys: Keys) -> None:
    for number in range(1_234):
        keys.cache.set(f"{keys.prefix}many:{number}", b"value")
    keys.cache.set(f"{keys.prefix}man", b"stays")
    assert keys.cache.delete_prefix(f"{keys.prefix}many:") == 1_234
    assert keys.cache.delete_prefix(f"{keys.prefix}many:") == 0
    assert keys.cache.get(f"{keys.prefix}man") == b"stays"


@pytest.mark.parametrize("special", ["*", "?", "[a-z]", "[^x]", "\\", "a\\*", "جست‌وجو", "{a,b}"])
def test_a_prefix_is_no_pattern(keys: Keys, special: str) -> None:
    keys.cache.set(f"{keys.prefix}{special}:one", b"goes")
    keys.cache.set(f"{keys.prefix}a:one", b"stays")
    keys.cache.set(f"{keys.prefix}ab:one", b"stays")
    assert keys.cache.delete_prefix(f"{keys.prefix}{special}:") == 1
    assert keys.cache.get(f"{keys.prefix}a:one") == b"stays"
    assert keys.cache.get(f"{keys.prefix}ab:one") == b"stays"


def test_the_memory_cache_goes_by_its_clock() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    cache = MemoryCache(clock)
    cache.set("key", b"value", ttl=timedelta(hours=1))
    clock.advance(timedelta(minutes=59))
    assert cache.get("key") == b"value"
    clock.advance(timedelta(minutes=1))
    assert cache.get("key") is None
    assert cache.delete("key") == 0
