"""The stores in memory: they behave as the real ones do, and the same suites prove it."""

from wisqu_pipelines.storage.memory.cache import MemoryCache
from wisqu_pipelines.storage.memory.clock import ManualClock
from wisqu_pipelines.storage.memory.objects import MemoryObjectServer, MemoryObjectStore
from wisqu_pipelines.storage.memory.vectors import MemoryVectorIndex

__all__ = ["ManualClock", "MemoryCache", "MemoryObjectServer", "MemoryObjectStore", "MemoryVectorIndex"]
