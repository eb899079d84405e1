"""The API against its own OpenAPI: whatever is sent, no 5xx and nothing that is not documented."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.conftest import Api
from wisqu_pipelines.identity import demo_people

STREAMS = ("/events", "/export", "/plan", "/metrics")
"""Their bodies are no JSON."""
EXAMPLES = 14
REAL = {"environment": "dev", "item_type": "rag_documents", "chain": "developer_actions"}
"""Names that exist; every second request has them."""


def test_no_answer_is_a_server_error_or_undocumented(api: Api) -> None:
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", api.client.app)
    headers = api.headers(demo_people.SUPERADMIN)
    tried = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.path in {"/v1/logout", "/health/stores"}:
            continue  # the one ends the login that the others need, the other asks every store each time

        tried += _tried(operation, headers)
    assert tried >= 400


def _tried(operation: Any, headers: dict[str, str]) -> int:
    """How many requests were made of one operation; a wrong answer raises."""
    checks = [not_a_server_error, status_code_conformance]
    if not operation.path.endswith(STREAMS):
        checks += [content_type_conformance, response_schema_conformance]
    tried = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def try_it(case: Any) -> None:
        nonlocal tried
        tried += 1
        if tried % 2 and case.path_parameters:
            case.path_parameters.update({name: REAL[name] for name in case.path_parameters.keys() & REAL.keys()})
        case.call_and_validate(headers=headers, checks=checks)

    try_it()
    return tried
