"""Logging in, and entering environments."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Cookie, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse

from wisqu_pipelines.api.access import LOGGED_IN, PUBLIC, From, Opened, Who, route
from wisqu_pipelines.api.idempotency import IdempotentRoute
from wisqu_pipelines.api.schemas import SECRET_ANSWER, EnvironmentName, Password, ReasonText
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.errors import ExternalLoginFailed, NoSuchProvider
from wisqu_pipelines.identity.keys import ACCESS, APPROVALS, CHECKPOINTS, environment_purpose
from wisqu_pipelines.identity.matrix import Entry
from wisqu_pipelines.identity.oidc import LASTS, Begun
from wisqu_pipelines.identity.service import EnvironmentToken, Identity, Login
from wisqu_pipelines.identity.tokens import Kind, sign, verify

router = APIRouter(prefix="/v1", tags=["identity"], route_class=IdempotentRoute)


COOKIE = "wisqu_oidc"
NOBODY = UUID(int=0)
"""Whom a login is about before the provider has said it."""


class LoginRequest(BaseModel):
    """An address and a password."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(max_length=320, examples=["amal@example.org"])]
    password: Annotated[str, Field(max_length=1_024, examples=["correct horse battery staple"])]


class RefreshRequest(BaseModel):
    """A refresh token; it is used up."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: Annotated[str, Field(max_length=200, examples=["3b0c…"])]


class EnvironmentTokenRequest(BaseModel):
    """Which environment, and what for."""

    model_config = ConfigDict(extra="forbid")

    environment: EnvironmentName
    reason: ReasonText | None = None


class PasswordChange(BaseModel):
    """The present password, and another one."""

    model_config = ConfigDict(extra="forbid")

    present: Password
    password: Password


class LogoutRequest(BaseModel):
    """This login, or all of them."""

    model_config = ConfigDict(extra="forbid")

    everywhere: bool = False


class LoginAnswer(BaseModel):
    """Tokens, and what they open."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750's name of the kind, no token
    expires_at: datetime
    refresh_token: str
    refresh_expires_at: datetime
    user_id: UUID
    email: str
    available_environments: list[str]
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """How many logins ended."""

    ended: int


@route(router, "POST", "/login", PUBLIC, 401, 429, openapi_more={SECRET_ANSWER: True})
def login(body: LoginRequest, services: Opened, origin: From, response: Response) -> LoginAnswer:
    """Log in with a password. Unknown and wrong are answered alike."""
    response.headers["Cache-Control"] = "no-store"
    return _answer(services.identity.login(body.email, body.password, origin))


@route(router, "GET", "/oidc/login", PUBLIC, 401, 404, status_code=307, response_class=RedirectResponse)
def begin_oidc(services: Opened) -> RedirectResponse:
    """Begin a login through the other identity provider: its answer comes to `/v1/oidc/callback`."""
    provider = services.provider
    if provider is None:
        raise NoSuchProvider
    now = services.clock.now()
    url, begun = provider.begin(now)
    token, _ = sign(services.keys[ACCESS].signing_key(now), _begun_kind(services), NOBODY, now, LASTS, asdict(begun))
    answer = RedirectResponse(url, 307)
    secure = services.settings.identity.issuer.startswith("https:")
    answer.set_cookie(
        COOKIE, token, max_age=LASTS.seconds, path="/v1/oidc", httponly=True, secure=secure, samesite="lax"
    )
    return answer


@route(router, "GET", "/oidc/callback", PUBLIC, 401, 404, openapi_more={SECRET_ANSWER: True}, takes_others=True)
def finish_oidc(
    services: Opened,
    origin: From,
    response: Response,
    state: Annotated[str, Query(max_length=500, examples=["f1c2…"])],
    code: Annotated[str, Query(max_length=2_000, examples=["SplxlOBeZQQYbYS6WxSbIA"])],
    begun: Annotated[str | None, Cookie(alias=COOKIE, max_length=4_000, examples=["eyJ…"])] = None,
) -> LoginAnswer:
    """End a login through the other identity provider, in the browser in which it began. Of what a provider sends
    besides, nothing is heeded, as RFC 6749 (4.1.2) wants it.
    """
    provider = services.provider
    if provider is None:
        raise NoSuchProvider
    if begun is None:
        raise ExternalLoginFailed(provider=provider.settings.issuer, reason="it did not begin in this browser")
    now = services.clock.now()
    claims = verify(begun, services.keys[ACCESS].verifying(), _begun_kind(services), now).all
    external = provider.finish(Begun(claims["state"], claims["nonce"], claims["verifier"]), state, code, now)
    person = services.external_people(provider).admit(external, origin)
    response.delete_cookie(COOKIE, path="/v1/oidc")
    response.headers["Cache-Control"] = "no-store"
    return _answer(services.identity.login_known(person, "oidc", origin))


def _begun_kind(services: Services) -> Kind:
    """What the cookie between the two is: a token that opens nothing."""
    return Kind("wisqu-oidc+jwt", services.settings.identity.issuer, "wisqu:oidc")


@route(router, "POST", "/refresh", PUBLIC, 401, openapi_more={SECRET_ANSWER: True})
def refresh(body: RefreshRequest, services: Opened, origin: From, response: Response) -> LoginAnswer:
    """Exchange a refresh token for new tokens. One that was used before ends the whole login."""
    response.headers["Cache-Control"] = "no-store"
    return _answer(services.identity.refresh(body.refresh_token, origin))


@route(router, "POST", "/logout", LOGGED_IN)
def logout(body: LogoutRequest, services: Opened, who: Who, origin: From) -> LoggedOut:
    """End this login, or all of one's own."""
    return LoggedOut(services.identity.logout(who, everywhere=body.everywhere, origin=origin))


@route(router, "GET", "/me", LOGGED_IN)
def me(who: Who) -> Identity:
    """Who the token says you are, and what you may enter."""
    return who


@route(router, "PUT", "/me/password", LOGGED_IN, 429)
def change_password(body: PasswordChange, services: Opened, who: Who, origin: From) -> LoggedOut:
    """Give yourself another password, with the present one. All your logins end."""
    return LoggedOut(ended=services.own_password.change(who, body.present, body.password, origin))


@route(router, "POST", "/environment-token", LOGGED_IN, 404, openapi_more={SECRET_ANSWER: True})
def environment_token(
    body: EnvironmentTokenRequest, services: Opened, who: Who, origin: From, response: Response
) -> EnvironmentToken:
    """A token that opens one environment for some minutes, and nothing else."""
    response.headers["Cache-Control"] = "no-store"
    return services.identity.environment_token(who, body.environment, body.reason, origin)


class KeySetAnswer(BaseModel):
    """A JWK set (RFC 7517)."""

    keys: list[dict[str, str]]


@route(router, "GET", "/jwks.json", PUBLIC)
def access_keys(services: Opened) -> KeySetAnswer:
    """The public keys of access tokens, approvals and sealed checkpoints."""
    rings = (services.keys[purpose] for purpose in (ACCESS, APPROVALS, CHECKPOINTS))
    return KeySetAnswer(keys=[key for ring in rings for key in ring.jwks()["keys"]])


@route(router, "GET", "/environments/{environment}/jwks.json", PUBLIC)
def environment_keys(environment: EnvironmentName, services: Opened) -> KeySetAnswer:
    """The public keys of an environment's tokens."""
    name = services.settings.environment(environment).name
    return KeySetAnswer(keys=services.keys[environment_purpose(name)].jwks()["keys"])


class CutoffAnswer(BaseModel):
    """A person's tokens that were issued before a time are void."""

    user_id: UUID
    not_before: datetime


class CutoffsAnswer(BaseModel):
    """All that count now."""

    cutoffs: list[CutoffAnswer]


@route(router, "GET", "/environments/{environment}/cutoffs", PUBLIC)
def cutoffs(environment: EnvironmentName, services: Opened) -> CutoffsAnswer:
    """Whose tokens for an environment are void before their end. Its apps ask for this every few seconds."""
    name = services.settings.environment(environment).name
    found = services.identity.cutoffs(name)
    return CutoffsAnswer(cutoffs=[CutoffAnswer(user_id=each.user_id, not_before=each.not_before) for each in found])


def _answer(login: Login) -> LoginAnswer:
    who = login.identity
    return LoginAnswer(
        access_token=login.access_token,
        expires_at=login.access_expires_at,
        refresh_token=login.refresh_token,
        refresh_expires_at=login.refresh_expires_at,
        user_id=who.user_id,
        email=who.email,
        available_environments=[each.environment for each in who.entries],
        entries=list(who.entries),
    )
