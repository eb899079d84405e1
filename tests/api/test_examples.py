"""OpenAPI shows what to send: an example for everything that a request is made of."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Api

SPEAKS_FOR_ITSELF = ("default", "enum", "const")


@pytest.fixture
def openapi(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.client.get("/v1/openapi.json").json()
    return found


def asked(openapi: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each parameter and each property of a body, with its schema."""
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                yield f"{method} {path}: {parameter['name']}", parameter["schema"] | parameter
            if body := operation.get("requestBody"):
                reference = body["content"]["application/json"]["schema"]["$ref"]
                for name, schema in resolved(openapi, {"$ref": reference})["properties"].items():
                    yield f"{method} {path}: body.{name}", schema


def resolved(openapi: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema
    while "$ref" in found:
        found = openapi["components"]["schemas"][found["$ref"].rsplit("/", 1)[1]]
    return found


def is_shown(openapi: dict[str, Any], schema: dict[str, Any]) -> bool:
    schema = resolved(openapi, schema)
    if schema.get("type") == "boolean" or any(each in schema for each in SPEAKS_FOR_ITSELF):
        return True
    either = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return bool(schema.get("examples")) or (bool(either) and all(is_shown(openapi, each) for each in either))


def test_everything_that_is_asked_for_has_an_example(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"].startswith("3.1")
    every = list(asked(openapi))
    assert len(every) > 100
    assert [name for name, schema in every if not is_shown(openapi, schema)] == []


def test_the_preview_that_is_shown_goes_along_a_path(api: Api, openapi: dict[str, Any]) -> None:
    asked_for = openapi["components"]["schemas"]["PreviewRequest"]["properties"]
    source, target = (asked_for[f"{end}_environment"]["examples"][0] for end in ("source", "target"))
    assert f"{source}->{target}" in api.services.settings.paths
