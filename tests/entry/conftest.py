"""The doors of a world's environments."""

from dataclasses import replace

import pytest

from tests.entry.sample import Doors, starting
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.ports.clock import SystemClock


@pytest.fixture
def doors(services: Services) -> Doors:
    clock = starting(SystemClock().now())
    return Doors(replace(services, clock=clock), clock)
