"""Who people are, what their roles open, and where they log in."""

from pathlib import Path

from pydantic import Field, SecretStr

from wisqu_pipelines.settings.sections import Name, Section
from wisqu_pipelines.settings.stores import RedisSettings


class LimitsSettings(RedisSettings):
    """The Redis account, and its database, in which the identity service counts attempts to log in."""

    database: int


class RoleSettings(Section):
    """One row of the access matrix: which environments a role may be given in, and what it may do there."""

    enters: tuple[Name, ...] = Field(min_length=1)
    """Where a person may be given this role."""
    test_accounts: tuple[Name, ...] = ()
    """Where it makes test accounts."""
    gives_reason: tuple[Name, ...] = ()
    """Where it says why it enters."""
    given_by: tuple[Name, ...] = Field(min_length=1)
    """Which roles, held in the same environment, give it to people and take it from them."""


class OidcSettings(Section):
    """Another identity provider, through which people log in."""

    issuer: str = Field(pattern=r"^https?://[^?#]+$")
    client_id: str
    client_secret: SecretStr | None = None
    """None: a public client."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: str = "groups"
    """Which claim of the ID token names a person's groups."""
    groups: dict[str, dict[Name, Name]] = Field(default_factory=dict)
    """Group → environment → role. Where any group is named, the provider decides on all lasting roles of its people."""
    creates_people: bool = False
    """Whether somebody who is not known here becomes known with their first login."""


class IdentitySettings(Section):
    """The identity service: who people are, and the tokens that say so."""

    issuer: str = Field(pattern=r"^https?://[^/?#]+$")
    """Its address; each environment's tokens have an issuer of their own below it."""
    keys: Path | None = None
    """The folder of its keys. The embedded stack has one of its own."""
    access_minutes: int = Field(default=10, gt=0, le=60)
    environment_minutes: int = Field(default=15, gt=0, le=15)
    refresh_days: int = Field(default=14, gt=0, le=90)
    attempts: int = Field(default=5, gt=0)
    """Wrong passwords for one account before the next one has to wait, longer each time."""
    attempts_by_address: int = Field(default=100, gt=0)
    """Attempts from one network address in an hour."""
    longest_visit_hours: int = Field(default=24, gt=0)
    """For how long access may be asked for, where it does not last."""
    passwords: bool = True
    """Whether people may log in with a password; False: only through the other provider."""
    oidc: OidcSettings | None = None
    limits: LimitsSettings | None = None
    """None: attempts are counted in this process's memory, which is right for one process only."""


class ApiSettings(Section):
    """The REST API, and the page for approvers."""

    port: int = 8_400
    """Where the embedded stack has it, if that is free."""
    url: str | None = Field(default=None, pattern=r"^https?://[^?#]+[^/?#]$")
    """Where people reach it; None: at the issuer of identities."""
