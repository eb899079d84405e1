"""Fixtures for every test."""

import gc

from tests.fixtures.services import services
from tests.fixtures.stack import stack
from tests.fixtures.world import settings

gc.freeze()
gc.set_threshold(50_000, 20, 20)
"""A tenth of the tests' time went into looking again and again at what the imported libraries keep for good."""

__all__ = ["services", "settings", "stack"]
