"""Sweeps and holds through the API."""

import json

from tests.api.conftest import REASON, Api
from tests.retention.conftest import OLD, Rows
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.identity.demo_people import ADMIN, DEVELOPER, SUPERADMIN


def test_a_sweep_from_the_preview_to_the_restoring(api: Api) -> None:
    rows = Rows(api.services)
    document = rows.document(OLD)
    told = api.client.get("/v1/environments/dev/sweeps/preview", headers=api.headers()).json()
    sweep = told["sweep"]
    assert (sweep["is_dry_run"], sweep["types"]["rag_documents"]["rows"], told["earlier"]) == (True, 1, [])
    assert rows.visible(RagDocument) == {document.id}
    done = api.client.post("/v1/environments/dev/sweeps", json={}, headers=api.headers()).json()["sweep"]
    assert (done["state"], done["hidden"]) == ("hidden", 2)
    address = f"/v1/environments/dev/sweeps/{done['sweep_id']}"
    assert api.client.get(address, headers=api.headers()).json()["hidden"] == 2
    assert len(api.client.get("/v1/environments/dev/sweeps", headers=api.headers()).json()) == 1
    listed = api.client.get(f"{address}/items", headers=api.headers()).text.splitlines()
    assert {json.loads(each)["item_id"] for each in listed} == {str(document.id), str(document.file_id)}
    missing = api.client.get(f"/v1/environments/stage/sweeps/{done['sweep_id']}/items", headers=api.headers())
    assert missing.status_code == 404
    back = api.client.post(f"{address}/restore", json={"reason": REASON}, headers=api.headers()).json()
    assert (back["given_back"], back["sweep"]["restored"]) == (2, 2)
    assert rows.visible(RagDocument) == {document.id}
    again = api.client.post(f"{address}/restore", json={"reason": REASON}, headers=api.headers())
    assert again.status_code == 409


def test_prod_takes_somebody_elses_approval(api: Api) -> None:
    prod = Rows(api.services, "prod")
    prod.document(OLD)
    asking = api.client.post("/v1/environments/prod/sweeps", json={"reason": REASON}, headers=api.headers(ADMIN))
    sweep = asking.json()["sweep"]
    assert sweep["state"] == "waiting"
    address = f"/v1/environments/prod/sweeps/{sweep['sweep_id']}/approve"
    assert api.client.post(address, json={}, headers=api.headers(ADMIN)).status_code == 403
    assert api.client.post(address, json={}, headers=api.headers(DEVELOPER)).status_code == 403
    assert api.client.post(address, json={}, headers=api.headers(SUPERADMIN)).json()["state"] == "hiding"
    api.client.post("/v1/environments/prod/sweeps", json={}, headers=api.headers(ADMIN))
    assert prod.visible(RagDocument) == set()


def test_holds(api: Api) -> None:
    rows = Rows(api.services)
    document = rows.document(OLD)
    body = {"item_type": "rag_documents", "item_id": str(document.id), "reason": REASON}
    assert api.client.post("/v1/environments/dev/holds", json=body, headers=api.headers()).status_code == 403
    made = api.client.post("/v1/environments/dev/holds", json=body, headers=api.headers(ADMIN))
    assert (made.status_code, made.json()["rows"]) == (201, 1)
    api.client.post("/v1/environments/dev/sweeps", json={}, headers=api.headers())
    assert rows.visible(RagDocument) == {document.id}
    (held,) = api.client.get("/v1/environments/dev/holds", headers=api.headers()).json()
    assert held["of"]["item_id"] == str(document.id)
    release = f"/v1/environments/dev/holds/{held['id']}/release"
    assert api.client.post(release, json={"reason": REASON}, headers=api.headers(ADMIN)).status_code == 200
    for bad in ({"until": "2026-01-01T00:00:00"}, {"until": "0001-01-01T00:00:00Z"}, {"words": "\u0000"}, {}):
        answer = api.client.post(
            "/v1/environments/dev/holds", json={"reason": REASON} | bad, headers=api.headers(ADMIN)
        )
        assert answer.status_code == 422, bad
