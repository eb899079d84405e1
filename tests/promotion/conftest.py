import pytest

from tests.promotion.world import World
from wisqu_pipelines.bootstrap import Services


@pytest.fixture
def world(services: Services) -> World:
    return World(services)
