"""Fixtures for every test."""

from tests.fixtures.services import services
from tests.fixtures.stack import stack
from tests.fixtures.world import settings

__all__ = ["services", "settings", "stack"]
