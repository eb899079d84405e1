"""Erasure through the API."""

from uuid import uuid4

from tests.api.conftest import REASON, Api
from tests.retention.conftest import Rows
from wisqu_pipelines.catalog.models import Conversation
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN

ALL = "/v1/environments/prod/erasures"


def test_from_the_preview_to_the_certificate(api: Api) -> None:
    prod = Rows(api.services, "prod")
    conversation = prod.conversation()
    with prod.environment.database.begin() as session:
        user = str(session.get_one(Conversation, conversation).user_id)
    admin, other = api.headers(ADMIN), api.headers(SUPERADMIN)
    told = api.client.get(f"{ALL}/preview", params={"user": user}, headers=admin).json()
    assert (told["user_id"], told["rows"]["conversations"]) == (user, 1)
    assert prod.visible(Conversation) == {conversation}

    body = {"user": user, "reason": REASON}
    assert api.client.post(ALL, json=body, headers=api.headers(DEVELOPER)).status_code == 403
    asked = api.client.post(ALL, json=body, headers=admin)
    assert (asked.status_code, asked.json()["state"]) == (201, "requested")
    one = f"{ALL}/{asked.json()['id']}"
    assert api.client.post(f"{one}/run", headers=admin).status_code == 409
    assert api.client.post(f"{one}/approve", headers=admin).status_code == 403
    assert api.client.get(f"{one}/certificate", headers=admin).status_code == 409
    elsewhere = one.replace("/prod/", "/dev/")
    assert api.client.post(f"{elsewhere}/approve", headers=other).status_code == 404
    assert api.client.post(f"{one}/approve", headers=other).json()["state"] == "approved"
    done = api.client.post(f"{one}/run", headers=other).json()
    assert (done["state"], done["rows"]["conversations"]) == ("done", 1)
    assert prod.count(Conversation) == 0
    certified = api.client.get(f"{one}/certificate", headers=admin).json()
    assert certified["digest"] == done["digest"]
    assert api.client.post(f"{ALL}/reapply", headers=admin).json() == []
    assert [each["id"] for each in api.client.get(ALL, headers=admin).json()] == [done["id"]]
    assert api.client.get(f"{ALL}/{uuid4()}", headers=admin).status_code == 404


def test_a_no_says_why(api: Api) -> None:
    prod = Rows(api.services, "prod")
    with prod.environment.database.begin() as session:
        user = str(session.get_one(Conversation, prod.conversation()).user_id)
    asked = api.client.post(ALL, json={"user": user, "reason": REASON}, headers=api.headers(ADMIN)).json()
    one = f"{ALL}/{asked['id']}"
    assert api.client.post(f"{one}/reject", json={}, headers=api.headers(SUPERADMIN)).status_code == 422
    no = api.client.post(f"{one}/reject", json={"reason": REASON}, headers=api.headers(SUPERADMIN))
    assert no.json()["state"] == "rejected"
