"""Where the stores are, and who works in them."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from sqlalchemy import URL

from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.settings.sections import Section


class DatabaseSettings(Section):
    """One Postgres database, with the role that works in it and the role that owns its tables."""

    name: str
    host: str = "127.0.0.1"
    port: int = 5432
    user: str
    password: SecretStr
    owner_user: str | None = None
    """The role that migrates and sets up; only `wisqu env init` and Alembic use it."""
    owner_password: SecretStr | None = None
    ssl_mode: str = "prefer"

    @property
    def address(self) -> str:
        """Where it is, for people."""
        return f"{self.host}:{self.port}/{self.name}"

    def url(self, *, owner: bool = False, driver: str = "postgresql+psycopg") -> URL:
        """The SQLAlchemy URL of this database, for the working role or for the owner.

        Raises:
            BadSettings: the owner is asked for and not configured.
        """
        user, password = (self.owner_user, self.owner_password) if owner else (self.user, self.password)
        if user is None or password is None:
            raise BadSettings(message=f"the database {self.name} has no owner_user and owner_password")
        return URL.create(
            driver, user, password.get_secret_value(), self.host, self.port, self.name, {"sslmode": self.ssl_mode}
        )


class ObjectStoreSettings(Section):
    """One environment's S3 account."""

    endpoint: str
    """Host and port, without a scheme."""
    access_key: str
    secret_key: SecretStr
    secure: bool = True
    region: str = "us-east-1"


class TransferSettings(Section):
    """An S3 account that reads a path's source buckets and writes its target buckets: for copies inside the server."""

    access_key: str
    secret_key: SecretStr


class VectorIndexSettings(Section):
    """One environment's Qdrant server."""

    url: str
    api_key: SecretStr


class RedisSettings(Section):
    """A Redis account."""

    host: str = "127.0.0.1"
    port: int = 6379
    username: str
    password: SecretStr
    tls: bool = False

    def address(self, database: int) -> str:
        """Where one of its numbered databases is, for people."""
        return f"{self.host}:{self.port}/{database}"


class CacheDatabases(Section):
    """The numbers of an environment's Redis databases."""

    cache: int
    sessions: int
    limits: int


class CacheSettings(RedisSettings):
    """One environment's Redis account, with its databases."""

    databases: CacheDatabases


class CollectionSettings(Section):
    """What every environment's copy of a vector collection must be."""

    dimension: int = Field(gt=0, le=65_536)
    distance: Literal["Cosine", "Dot", "Euclid", "Manhattan"] = "Cosine"


class ControlSettings(Section):
    """The control database: people, promotions, approvals. No environment owns it."""

    database: DatabaseSettings


class StackSettings(Section):
    """The embedded stack of a laptop, a demo or a test."""

    embedded: bool = False
    directory: Path = Path("var")

    @property
    def settings_file(self) -> Path:
        """Where `wisqu up` writes addresses and secrets of the stores that it started (mode 0600)."""
        return self.directory / "stack" / "settings.toml"
