"""Fixtures for every test."""

from tests.fixtures.garbage import collect_seldom, collected_as_usual
from tests.fixtures.services import services
from tests.fixtures.stack import stack
from tests.fixtures.world import settings

collect_seldom()

__all__ = ["collected_as_usual", "services", "settings", "stack"]
