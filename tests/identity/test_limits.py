"""Guessing passwords takes longer and longer, whether or not there is such a person."""

from concurrent.futures import ThreadPoolExecutor
from secrets import randbelow
from uuid import uuid4

import pytest
from pydantic import SecretStr

from wisqu_pipelines.errors import LoginThrottled, StoreDenied, StoreUnavailable
from wisqu_pipelines.identity.limits import LONGEST_WAIT_SECONDS, LoginLimits, _wait_key
from wisqu_pipelines.settings import LimitsSettings, Settings


@pytest.fixture(params=["memory", "redis"])
def limits(request: pytest.FixtureRequest, settings: Settings) -> LoginLimits:
    identity = settings.identity
    assert identity.limits is not None
    if request.param == "memory":
        identity = identity.model_copy(update={"limits": None})
    return LoginLimits(identity.model_copy(update={"attempts": 3, "attempts_by_address": 10}))


def waits(limits: LoginLimits, account: str) -> int:
    try:
        limits.check(account, None)
    except LoginThrottled as error:
        return int(error.details["seconds"])
    return 0


def fail(limits: LoginLimits, account: str, times: int) -> None:
    for _ in range(times):
        limits._storage.clear(_wait_key(account))  # as if it had waited
        limits.check(account, None)


def test_an_account_waits_from_the_third_failure_on(limits: LoginLimits) -> None:
    account = f"{uuid4()}@example.org"
    for _ in range(3):
        assert waits(limits, account) == 0
    assert waits(limits, account) >= 1
    assert waits(limits, f" {account.upper()} ") >= 1, "the same account, in another case"
    assert waits(limits, f"other-{account}") == 0


def test_each_failure_waits_longer_up_to_a_limit(limits: LoginLimits) -> None:
    seen = []
    for failures in (3, 6, 9, 14):
        account = f"{uuid4()}@example.org"
        fail(limits, account, failures)
        seen.append(waits(limits, account))
    assert seen == sorted(seen)
    assert seen[0] <= 2
    assert seen[1] >= 7
    assert LONGEST_WAIT_SECONDS - 2 <= seen[3] <= LONGEST_WAIT_SECONDS


def test_guesses_at_once_are_counted_like_one_after_the_other(limits: LoginLimits) -> None:
    account = f"{uuid4()}@example.org"
    fail(limits, account, 10)
    limits._storage.clear(_wait_key(account))
    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(lambda _: waits(limits, account), range(20))).count(0) == 1


def test_the_right_password_forgets_the_failures(limits: LoginLimits) -> None:
    account = f"{uuid4()}@example.org"
    fail(limits, account, 5)
    limits.succeeded(account)
    assert [waits(limits, account) for _ in range(3)] == [0, 0, 0]


def test_an_address_tries_so_often_an_hour(limits: LoginLimits) -> None:
    address = str(uuid4())
    for number in range(10):
        limits.check(f"{number}-{address}@example.org", address)
    with pytest.raises(LoginThrottled):
        limits.check(f"11-{address}@example.org", address)
    limits.check(f"11-{address}@example.org", f"another {address}")


def test_the_addresses_of_one_network_of_ipv6_count_as_one(limits: LoginLimits) -> None:
    network = f"2001:db8:{randbelow(65_536):x}:{randbelow(65_536):x}"
    for number in range(10):
        limits.check(f"{uuid4()}@example.org", f"{network}:{number:x}::1")
    with pytest.raises(LoginThrottled):
        limits.check(f"{uuid4()}@example.org", f"{network}::2%eth0")
    assert limits.is_news("login", "", f"{network}::1")
    assert not limits.is_news("login", "", f"{network}::2")
    limits.check(f"{uuid4()}@example.org", f"{network[:-1]}{'1' if network[-1] == '0' else '0'}::1")

    mapped = f"10.{randbelow(256)}.{randbelow(256)}.{randbelow(256)}"
    assert limits.is_news("login", "", mapped)
    assert not limits.is_news("login", "", f"::ffff:{mapped}")


def test_what_cannot_be_counted_is_not_let_through(settings: Settings) -> None:
    away = LimitsSettings(host="127.0.0.1", port=9, username="x", password=SecretStr("y"), database=0)
    limits = LoginLimits(settings.identity.model_copy(update={"limits": away}))
    with pytest.raises(StoreUnavailable, match="counter of logins"):
        limits.check("a@b.org", None)
    with pytest.raises(StoreUnavailable, match="counter of logins"):
        limits.succeeded("a@b.org")


def test_a_counter_that_refuses_its_account_is_not_called_away(settings: Settings) -> None:
    counter = settings.identity.limits
    assert counter is not None
    wrong = counter.model_copy(update={"password": SecretStr("wrong")})
    limits = LoginLimits(settings.identity.model_copy(update={"limits": wrong}))
    with pytest.raises(StoreDenied, match="counter of logins refused these credentials"):
        limits.check("a@b.org", None)
    with pytest.raises(StoreDenied):
        limits.require()
