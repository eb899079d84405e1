from collections.abc import Iterator

import pytest

from tests.promotion.gate import NOW
from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.storage.memory import ManualClock


@pytest.fixture
def world(services: Services) -> World:
    return World(services)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def timed(services: Services, clock: ManualClock) -> Iterator[World]:
    """A world whose time stands still until the test moves it."""
    with open_services(services.settings, clock) as opened:
        yield World(opened)
