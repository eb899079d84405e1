"""An environment: its stores and its rules."""

from typing import Annotated

from pydantic import Field, model_validator

from wisqu_pipelines.settings.sections import Name, Section
from wisqu_pipelines.settings.stores import CacheSettings, DatabaseSettings, ObjectStoreSettings, VectorIndexSettings


class RetentionSettings(Section):
    """How long an environment keeps what nobody promoted."""

    days: int = Field(gt=0)
    types: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    """Days for types that are kept for another time: `rag_documents`, …"""
    automatic: bool
    """Whether schedules may sweep; if not, a person starts a sweep, and another one approves it."""
    test_data_days: int = Field(default=7, gt=0)
    grace_days: int = Field(default=30, gt=0)
    """How long what was hidden can be restored."""
    most_rows: int = Field(default=10_000, gt=0)
    """Of one type in one sweep, without `--force`."""
    most_share: float = Field(default=0.5, gt=0, le=1)
    """Of the rows of one type in one sweep, without `--force`."""
    always_rows: int = Field(default=100, ge=0)
    """So many rows may go, whatever share of a small table they are."""


class TestDataSettings(Section):
    """From which scores on detection asks a person, and marks by itself."""

    __test__ = False  # pytest takes it for one of its own

    review: float = Field(default=0.6, gt=0)
    mark: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _check_order(self) -> "TestDataSettings":
        if self.review > self.mark:
            raise ValueError(f"review ({self.review}) must not be above mark ({self.mark})")
        return self


class EnvironmentSettings(Section):
    """One environment: its stores and its rules."""

    name: Name
    domain: str
    excludes_test_data: bool = False
    """Whether reads in this environment leave marked test data out."""
    database: DatabaseSettings
    object_store: ObjectStoreSettings
    vector_index: VectorIndexSettings
    cache: CacheSettings
    retention: RetentionSettings
    test_data: TestDataSettings = TestDataSettings()

    def get_bucket_name(self, base_bucket: str) -> str:
        """The bucket of this environment for a base name: `{environment}-{base}`."""
        return f"{self.name}-{base_bucket}"

    def get_collection_name(self, base_collection: str) -> str:
        """The vector collection of this environment for a base name: `{base}_{environment}`."""
        return f"{base_collection}_{self.name}"
