"""Login through an identity provider that somebody else wrote."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import oidc_provider_mock
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import select

from tests.api.conftest import REASON
from wisqu_pipelines.api.app import create_app
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN
from wisqu_pipelines.identity.service import Origin
from wisqu_pipelines.settings import OidcSettings, Settings

GROUPS = {"staff": {"stage": "developer"}, "leads": {"stage": "admin", "prod": "admin"}}
CLIENT = "wisqu"


@dataclass
class Provider:
    """The provider, and the API that uses it."""

    issuer: str
    client: TestClient
    services: Services

    def user(self, subject: str, **claims: Any) -> None:
        """Somebody whom the provider knows."""
        put = httpx.put(f"{self.issuer}/users/{subject}", json={"sub": subject, **claims})
        put.raise_for_status()

    def begin(self) -> str:
        """The address of the provider to which the browser is sent."""
        answer = self.client.get("/v1/oidc/login", follow_redirects=False)
        assert answer.status_code == 307, answer.text
        return str(answer.headers["location"])

    def consent(self, location: str, subject: str) -> dict[str, str]:
        """The person logs in there; what the browser brings back."""
        answer = httpx.post(location, data={"sub": subject}, follow_redirects=False)
        assert answer.status_code == 302, answer.text
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    def login(self, subject: str) -> httpx.Response:
        brought = self.consent(self.begin(), subject) | {"session_state": "some providers send more"}
        answer: httpx.Response = self.client.get("/v1/oidc/callback", params=brought)
        return answer


@pytest.fixture
def provider(settings: Settings, services: Services) -> Iterator[Provider]:
    del services  # they have set the world up
    with oidc_provider_mock.run_server_in_thread() as server:
        issuer = f"http://localhost:{server.server_port}"
        oidc = OidcSettings(
            issuer=issuer,
            client_id=CLIENT,
            client_secret=SecretStr("of-the-client"),
            groups=GROUPS,
            creates_people=True,
        )
        identity = settings.identity.model_copy(update={"oidc": oidc})
        with (
            open_services(settings.model_copy(update={"identity": identity})) as opened,
            TestClient(create_app(opened), base_url="https://auth.wisqu.com", raise_server_exceptions=False) as client,
        ):
            yield Provider(issuer, client, opened)


def test_a_person_of_the_provider_gets_the_roles_of_their_groups(provider: Provider) -> None:
    provider.user("42", email="lea@example.org", email_verified=True, name="Lea", groups=["staff", "leads", "choir"])

    given = provider.login("42")

    assert given.status_code == 200, given.text
    assert {(each["environment"], each["role"]) for each in given.json()["entries"]} == {
        ("stage", "admin"),
        ("prod", "admin"),
    }
    provider.user("42", email="lea@example.org", email_verified=True, groups=["staff"])
    again = provider.login("42").json()
    assert again["user_id"] == given.json()["user_id"]
    assert [(each["environment"], each["role"]) for each in again["entries"]] == [("stage", "developer")]
    with provider.services.control.begin() as session:
        actions = session.scalars(select(EnvironmentAccess.action).order_by(EnvironmentAccess.sequence)).all()
    assert actions == [
        *("person_created", "role_granted", "role_granted", "login"),
        *("role_granted", "role_revoked", "login"),
    ]


def test_the_request_has_state_nonce_and_pkce(provider: Provider) -> None:
    asked = parse_qs(urlsplit(provider.begin()).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert all(len(asked[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))
    assert asked["redirect_uri"] == ["https://auth.wisqu.com/v1/oidc/callback"]


def test_an_address_finds_no_account_that_has_a_password(provider: Provider) -> None:
    provider.services.people.set_password(ADMIN, "correct horse battery staple", SUPERADMIN, REASON)
    provider.user("7", email=ADMIN, email_verified=True, groups=["staff"])
    assert provider.login("7").status_code == 401
    assert refused_logins(provider) == [(None, "7")]


def test_somebody_whose_account_is_closed_is_refused_and_written_down(provider: Provider) -> None:
    provider.user("8", email=DEVELOPER, email_verified=True, groups=["staff"])
    known = UUID(provider.login("8").json()["user_id"])
    provider.services.people.disable(DEVELOPER, SUPERADMIN, REASON)
    assert provider.login("8").status_code == 401
    assert refused_logins(provider) == [(known, "8")]


def test_a_known_address_is_bound_to_its_first_subject(provider: Provider) -> None:
    provider.user("8", email=DEVELOPER, email_verified=True, groups=["staff"])
    first = provider.login("8").json()["user_id"]
    provider.user("8", email="renamed@example.org", email_verified=True, groups=["staff"])
    assert provider.login("8").json()["user_id"] == first


@pytest.mark.parametrize(
    "claims", [{}, {"email": "x@example.org"}, {"email": "x@example.org", "email_verified": False}]
)
def test_an_address_that_is_not_verified_is_nobodys(provider: Provider, claims: dict[str, Any]) -> None:
    provider.user("9", **claims)
    refused = provider.login("9")
    assert refused.status_code == 401
    assert "verified" in refused.json()["detail"]


def test_an_answer_to_another_login_is_refused(provider: Provider) -> None:
    provider.user("42", email="lea@example.org", email_verified=True, groups=["staff"])
    stolen = provider.consent(provider.begin(), "42")
    provider.begin()  # the browser has begun another one since
    assert provider.client.get("/v1/oidc/callback", params=stolen).status_code == 401
    mine = provider.consent(provider.begin(), "42")
    injected = {"code": stolen["code"], "state": mine["state"]}
    refused = provider.client.get("/v1/oidc/callback", params=injected)
    assert refused.status_code == 401, "the ID token's nonce is the other login's"
    provider.client.cookies.clear()
    assert "did not begin" in provider.client.get("/v1/oidc/callback", params=mine).json()["detail"]


def test_a_code_is_used_once(provider: Provider) -> None:
    provider.user("42", email="lea@example.org", email_verified=True, groups=["staff"])
    location = provider.begin()
    kept = dict(provider.client.cookies)
    answer = provider.consent(location, "42")
    assert provider.client.get("/v1/oidc/callback", params=answer).status_code == 200
    for name, value in kept.items():
        provider.client.cookies.set(name, value)
    assert provider.client.get("/v1/oidc/callback", params=answer).status_code == 401


def test_a_forged_cookie_is_no_login(provider: Provider) -> None:
    provider.user("42", email="lea@example.org", email_verified=True, groups=["staff"])
    answer = provider.consent(provider.begin(), "42")
    access = provider.services.identity.login_known(
        provider.services.external_people(provider.services.provider).admit(  # type: ignore[arg-type]
            _external(provider.issuer), Origin()
        ),
        "oidc",
    ).access_token
    for forged in ("x", "a.b.c", json.dumps({"state": answer["state"]}), access):
        provider.client.cookies.clear()
        provider.client.cookies.set("wisqu_oidc", forged)
        assert provider.client.get("/v1/oidc/callback", params=answer).status_code in {401, 422}


def test_a_provider_that_is_away_or_another_one_is_named(settings: Settings, services: Services) -> None:
    del services
    for issuer in ("http://127.0.0.1:9", "http://localhost:9/realms/x"):
        identity = settings.identity.model_copy(update={"oidc": OidcSettings(issuer=issuer, client_id=CLIENT)})
        with (
            open_services(settings.model_copy(update={"identity": identity})) as opened,
            TestClient(create_app(opened)) as client,
        ):
            refused = client.get("/v1/oidc/login", follow_redirects=False)
            assert refused.status_code == 401
            assert issuer in refused.json()["detail"]


def test_without_a_provider_there_is_no_such_login(services: Services) -> None:
    with TestClient(create_app(services)) as client:
        assert client.get("/v1/oidc/login").status_code == 404


def refused_logins(provider: Provider) -> list[tuple[UUID | None, str]]:
    """Who was refused: the person here, and the provider's name for them."""
    with provider.services.control.begin() as session:
        found = session.scalars(select(EnvironmentAccess).where(~EnvironmentAccess.success)).all()
        return [(each.user_id, (each.details or {})["subject"]) for each in found if each.action == "login"]


def _external(issuer: str) -> Any:
    from wisqu_pipelines.identity.oidc import ExternalPerson  # noqa: PLC0415

    return ExternalPerson(issuer, "43", "max@example.org", None, frozenset())
