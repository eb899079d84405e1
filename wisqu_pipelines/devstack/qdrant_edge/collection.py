"""One collection: a folder with the engine's shard and a small file that says what the shard is made for."""

import os
import time
from pathlib import Path

import qdrant_edge as engine
from qdrant_client.http import models

from wisqu_pipelines.devstack.qdrant_edge.translate import DISTANCES

CONFIG = "collection.json"
SHARD = "shard"
IDLE_SECONDS = 5.0
"""A collection nobody wrote to for so long is tidied up."""


class Collection:
    """An open collection.

    The engine puts a write into the shard's write-ahead log before it returns, and replays that log on load. So a
    killed process loses nothing of what was acknowledged, and flushing only keeps the log short: it can wait.
    """

    def __init__(self, folder: Path) -> None:
        """Open the collection in `folder`."""
        self.folder = folder
        self.config = models.VectorParams.model_validate_json((folder / CONFIG).read_bytes())
        self.shard = engine.EdgeShard.load(str(folder / SHARD), _engine_config(self.config))
        self._last_write = time.monotonic()
        self._operations = 0
        self._unflushed = self._untidy = True

    @staticmethod
    def make(folder: Path, config: models.VectorParams) -> None:
        """Lay down an empty collection in a new folder."""
        folder.mkdir()
        engine.EdgeShard.create(str(folder / SHARD), _engine_config(config)).close()
        with (folder / CONFIG).open("w") as file:
            file.write(config.model_dump_json(exclude_none=True))
            file.flush()
            os.fsync(file.fileno())

    def update(self, operation: engine.UpdateOperation) -> int:
        """Apply a write; return its number since the collection was opened."""
        self._last_write = time.monotonic()
        self._unflushed = self._untidy = True
        self.shard.update(operation)
        self._operations += 1
        return self._operations

    def flush(self) -> None:
        """Write pending changes into the segments, so that the log can be cut, if there are any."""
        if self._unflushed:
            self.shard.flush()
            self._unflushed = False

    def tidy(self) -> None:
        """Rewrite segments that are full of deleted points, if nobody writes at the moment."""
        if self._untidy and time.monotonic() - self._last_write >= IDLE_SECONDS:
            self._untidy = False
            if self.shard.optimize():
                self.shard.flush()

    def close(self) -> None:
        """Flush and let go of the files."""
        self.shard.close()


def _engine_config(config: models.VectorParams) -> engine.EdgeConfig:
    """No graph is ever built, so searches compare all vectors (7 ms for 100,000 of 384) and their results are exact.

    Building one holds up the whole process: 14 s for 30,000 vectors.
    """
    return engine.EdgeConfig(
        vectors=engine.EdgeVectorParams(size=config.size, distance=DISTANCES[config.distance]),
        optimizers=engine.EdgeOptimizersConfig(indexing_threshold=0),
        max_search_threads=1,
    )
