"""An environment's own app as a small example: what it serves, and how it is asked."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa
from fastapi import Depends, FastAPI, Request
from joserfc.jwk import OKPKey

from wisqu_pipelines.audit.models import EnvironmentAccessLog
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import User
from wisqu_pipelines.entry.entrance import Entrance
from wisqu_pipelines.entry.feed import Feed, LocalFeed
from wisqu_pipelines.entry.guards import (
    current_user,
    guarded,
    install,
    require_non_test_account,
    require_reason,
    require_role,
)
from wisqu_pipelines.entry.test_sessions import TestSessions
from wisqu_pipelines.entry.user import EnvironmentUser
from wisqu_pipelines.identity.keys import KeyRing, environment_purpose
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.identity.service import environment_kind
from wisqu_pipelines.identity.tokens import sign
from wisqu_pipelines.storage.memory.clock import ManualClock

REASON = "looking into a slow search"


def sample_app(entrance: Entrance) -> FastAPI:
    """Routes with every guard, and one with none."""
    app = FastAPI()
    install(app, entrance)

    @app.get("/open")
    async def open_to_all(request: Request) -> dict[str, str | None]:
        user = request.state.user
        return {"email": None if user is None else user.email}

    @app.get("/me")
    async def me(user: EnvironmentUser = Depends(current_user)) -> dict[str, Any]:  # noqa: B008
        return asdict(user)

    @app.get("/admin", dependencies=[Depends(require_role("admin", "superadmin"))])
    def for_admins() -> str:
        return "admin"

    @app.get("/own", dependencies=[Depends(require_non_test_account)])
    def for_people() -> str:
        return "own"

    @app.get("/reasoned", dependencies=[Depends(require_reason)])
    def with_reason() -> str:
        return "reasoned"

    @app.get("/decorated")
    @guarded(require_role("admin"), require_reason)
    def decorated(request: Request) -> str:
        return str(request.state.user.email)

    return app


@dataclass
class Doors:
    """The environments' apps of one world, with its identity service, at a time that tests move."""

    services: Services
    clock: ManualClock

    def app(self, environment: str, feed: Feed | None = None) -> FastAPI:
        """The environment's app, as a process would build it."""
        return sample_app(self.entrance(environment, feed))

    def entrance(self, environment: str, feed: Feed | None = None) -> Entrance:
        """The environment's entrance, knowing nobody yet."""
        stores = self.services.environments[environment]
        kind = environment_kind(self.services.settings, environment)
        sessions = self.test_sessions(environment)
        feed = feed or self.feed(environment)
        return Entrance(environment, kind, stores.database, feed, self.clock, sessions)

    def feed(self, environment: str) -> LocalFeed:
        """What the identity service of the world says."""
        return LocalFeed(self.ring(environment), lambda: self.services.identity.cutoffs(environment))

    def ring(self, environment: str) -> KeyRing:
        """The keys of an environment's tokens."""
        return self.services.keys[environment_purpose(environment)]

    def test_sessions(self, environment: str) -> TestSessions:
        """The logins of the environment's test accounts."""
        stores = self.services.environments[environment]
        return TestSessions(stores.database, stores.sessions, self.clock)

    def token(self, email: str, environment: str, reason: str | None = REASON) -> str:
        """A token as the identity service gives it to somebody who logs in."""
        who = self.services.identity.login_known(self.central(email).id, "demo").identity
        return self.services.identity.environment_token(who, environment, reason).token

    def signed(self, door: str, key: OKPKey | None = None, **claims: Any) -> str:
        """A token for an environment with other claims than the service would write."""
        written: dict[str, Any] = {
            "environment": door,
            "email": "noor@example.org",
            "name": "Noor",
            "role": "user",
            "test_accounts": False,
            "reason": None,
            "sid": str(UUID(int=8)),
        }
        now = self.clock.now()
        key = key or self.ring(door).signing_key(now)
        kind = environment_kind(self.services.settings, door)
        return sign(key, kind, UUID(int=7), now, timedelta(minutes=15), written | claims)[0]

    def central(self, email: str) -> CentralUser:
        """A person of the control database."""
        with self.services.control.begin() as session:
            return session.scalars(sa.select(CentralUser).where(CentralUser.email == email)).one()

    def local(self, environment: str, user_id: UUID) -> User | None:
        """A row of the environment's users."""
        with self.services.environments[environment].database.begin() as session:
            return session.get(User, user_id)

    def logins(self, environment: str) -> list[EnvironmentAccessLog]:
        """The environment's audit, oldest first."""
        with self.services.environments[environment].database.begin() as session:
            return list(session.scalars(sa.select(EnvironmentAccessLog).order_by(EnvironmentAccessLog.sequence)))

    def change(self, environment: str, user_id: UUID, **values: Any) -> None:
        """Change a row of the environment's users behind everybody's back."""
        with self.services.environments[environment].database.begin() as session:
            session.execute(sa.update(User).where(User.id == user_id).values(**values))

    def add_user(self, environment: str, email: str, **values: Any) -> UUID:
        """A row that nobody's login made."""
        with self.services.environments[environment].database.begin() as session:
            user = User(email=email, role="user", **values)
            session.add(user)
            session.flush()
            return user.id


def get(app: FastAPI, path: str, token: str | None = None, **headers: str) -> httpx.Response:
    """Ask the app once."""
    return get_all(app, [(path, token)], headers)[0]


def get_all(
    app: FastAPI, wanted: list[tuple[str, str | None]], headers: Mapping[str, str] | None = None
) -> list[httpx.Response]:
    """Ask the app for paths with tokens, all at once."""

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            return await asyncio.gather(
                *(client.get(path, headers=bearer(token) | dict(headers or {})) for path, token in wanted)
            )

    return asyncio.run(ask())


def bearer(token: str | None) -> dict[str, str]:
    """The header of a token."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def starting(now: datetime) -> ManualClock:
    """A clock that stands at a whole second."""
    return ManualClock(now.replace(microsecond=0))
