"""One environment with its four stores, ready to use."""

from dataclasses import dataclass

from wisqu_pipelines.database.session import Database
from wisqu_pipelines.ports.cache import Cache
from wisqu_pipelines.ports.objects import ObjectStore
from wisqu_pipelines.ports.vectors import VectorIndex
from wisqu_pipelines.settings import EnvironmentSettings


@dataclass(frozen=True)
class Environment:
    """An environment's settings and the doors to its stores."""

    settings: EnvironmentSettings
    database: Database
    objects: ObjectStore
    vectors: VectorIndex
    cache: Cache
    """Copies of what the other stores say; may be dropped at any time."""
    sessions: Cache
    limits: Cache

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.settings.name
