"""CI's results, as CI posts them."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.automation.test_automation import KEY, with_rules
from wisqu_pipelines.api.app import create_app
from wisqu_pipelines.bootstrap import Services, open_services


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with open_services(with_rules(services.settings, {}, {})) as opened, TestClient(create_app(opened)) as client:
        yield client


def post(client: TestClient, *, key: str = KEY, changed: bytes = b"", **more: object) -> httpx.Response:
    result = {"delivery_id": str(uuid4()), "commit": "9afba49", "suite": "unit", "outcome": "passed", **more}
    body, now = json.dumps(result).encode(), int(time.time())
    signature = hmac.new(key.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"x-wisqu-timestamp": str(now), "x-wisqu-signature": f"sha256={signature}"}
    headers["content-type"] = "application/json"
    answer: httpx.Response = client.post("/v1/ci-results", content=body + changed, headers=headers)
    return answer


def test_a_result_is_taken_once(client: TestClient) -> None:
    delivery = str(uuid4())
    first, again = post(client, delivery_id=delivery), post(client, delivery_id=delivery)
    assert (first.status_code, first.json()) == (200, {"delivery_id": delivery, "is_new": True})
    assert (again.status_code, again.json()["is_new"]) == (200, False)
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    assert [str(each) for each in services.automation.unhandled()] == [delivery]


def test_another_key_and_a_changed_body_are_refused(client: TestClient) -> None:
    for answer in (post(client, key="another"), post(client, changed=b" ")):
        assert answer.status_code == 401
        assert answer.json()["title"] == "CiRefused"
        assert KEY not in answer.text


def test_what_is_malformed_is_named(client: TestClient) -> None:
    assert post(client, outcome="maybe").status_code == 422
    assert client.post("/v1/ci-results", json={}).status_code == 422
