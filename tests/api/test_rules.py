"""Who may use which route: every route, every kind of caller, every environment, made from OpenAPI."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import REASON, Api
from wisqu_pipelines.api.access import EXTENSION
from wisqu_pipelines.entry.test_sessions import TestSessions
from wisqu_pipelines.identity import demo_people

ENVIRONMENTS = ("dev", "stage", "prod")
ROLES: dict[str, dict[str, str]] = {
    "anonymous": {},
    "nobody": {},
    "user": {"prod": "user"},
    "tester": {"stage": "tester"},
    "developer": dict.fromkeys(ENVIRONMENTS, "developer"),
    "admin": dict.fromkeys(ENVIRONMENTS, "admin"),
    "superadmin": dict.fromkeys(ENVIRONMENTS, "superadmin"),
    "admin of stage": {"stage": "admin"},
    "expired": dict.fromkeys(ENVIRONMENTS, "superadmin"),
    "revoked": dict.fromkeys(ENVIRONMENTS, "superadmin"),
    "test account": {},
    "environment token": dict.fromkeys(ENVIRONMENTS, "superadmin"),
}
UNLOGGED = ("anonymous", "expired", "revoked", "environment token", "test account")
"""Those who hold roles, or a token, and are nobody here."""
ANSWERED_LAST = "/v1/logout"


def routes(api: Api) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in api.client.get("/v1/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def made(api: Api, kind: str) -> dict[str, str]:
    """The headers of such a caller."""
    if kind == "anonymous":
        return {}
    services = api.services
    if kind == "test account":
        developer = services.developer(api.login().identity.user_id, "stage")
        account = services.test_accounts("stage").create(developer, REASON)
        stage = services.environments["stage"]
        sessions = TestSessions(stage.database, stage.sessions, services.clock)
        return {"Authorization": f"Bearer {sessions.login(account.email, account.password)[0]}"}
    email = f"{kind.replace(' ', '.')}@example.org"
    services.people.create(email, None, None, demo_people.SUPERADMIN, REASON)
    for environment, role in ROLES[kind].items():
        services.people.grant(email, environment, role, demo_people.SUPERADMIN, REASON)
    token = api.login(email).access_token
    if kind == "expired":
        head, _, _ = token.rpartition(".")
        token = f"{head}.{token.rpartition('.')[2][::-1]}"
    if kind == "revoked":
        services.people.disable(email, demo_people.SUPERADMIN, REASON)
    if kind == "environment token":
        token = services.identity.environment_token(services.identity.authenticate(token), "dev", REASON).token
    return {"Authorization": f"Bearer {token}"}


def may(kind: str, rule: dict[str, Any], environment: str) -> bool:
    if rule["name"] == "public":
        return True
    if kind in UNLOGGED:
        return False
    held = ROLES[kind]
    if not rule["roles"]:
        return True
    if rule["test_accounts"] and held.get(environment) == "developer" and environment == "dev":
        return False  # the access matrix: developers make none in dev
    where = {environment} if rule["where"] else set(ENVIRONMENTS)
    return any(held.get(each) in rule["roles"] for each in where)


def test_every_route_has_a_rule(api: Api) -> None:
    found = list(routes(api))
    assert len(found) >= 45
    for method, path, operation in found:
        rule = operation.get(EXTENSION)
        assert rule is not None, f"{method} {path} says nothing about who may use it"
        if rule["where"]:
            assert f"{{{rule['where']}}}" in path
        if rule["name"] != "public":
            assert {"401", "403"} <= operation["responses"].keys()


def test_what_is_public_is_no_more_than_this(api: Api) -> None:
    public = {path for _, path, operation in routes(api) if operation[EXTENSION]["name"] == "public"}
    assert public == {
        "/v1/login",
        "/v1/refresh",
        "/v1/oidc/login",
        "/v1/oidc/callback",
        "/v1/jwks.json",
        "/v1/environments/{environment}/jwks.json",
        "/v1/environments/{environment}/cutoffs",
        "/v1/ci-results",
        "/health/live",
        "/health/ready",
        "/metrics",
    }


@pytest.mark.parametrize("kind", ROLES)
def test_each_kind_of_caller_reaches_what_the_rules_say(api: Api, kind: str) -> None:
    headers = made(api, kind)
    tried = 0
    for method, path, operation in sorted(routes(api), key=lambda each: each[1] == ANSWERED_LAST):
        for environment in ENVIRONMENTS if "{environment}" in path else ENVIRONMENTS[:1]:
            url = path.replace("{environment}", environment).replace("{item_type}", "stored_files")
            url = url.replace("{chain}", "developer_actions" if "environments" in path else "environment_access_log")
            while "{" in url:
                url = f"{url[: url.index('{')]}{uuid4()}{url[url.index('}') + 1 :]}"
            body: dict[str, Any] | None = {} if method in {"POST", "PUT"} else None
            answer = api.client.request(method, url, headers=headers, json=body)
            tried += 1
            allowed = may(kind, operation[EXTENSION], environment)
            told = f"{kind}: {method} {url} -> {answer.status_code} {answer.text[:200]}"
            if allowed:
                assert answer.status_code not in {401, 403} or path in {"/v1/refresh", "/v1/login"}, told
            else:
                assert answer.status_code == (401 if kind in UNLOGGED else 403), told
                assert answer.headers["content-type"] == "application/problem+json"
            assert answer.status_code < 500, told
    assert tried >= 60
