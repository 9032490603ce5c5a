"""The server's own description of itself, and requests made from it that nobody thought of."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from abkit.hooks import make_app
from tests.hooks import consumers
from tests.hooks.serving import plans_in


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_app([plans_in(tmp_path_factory.mktemp("plans"))])


@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
def test_requests_that_nobody_thought_of(mode: schemathesis.GenerationMode, app: Any) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:

        @given(operation.as_strategy(generation_mode=mode))
        @settings(max_examples=8, suppress_health_check=list(HealthCheck))
        def answered(case: schemathesis.Case) -> None:
            reply = case.call()
            # a stage that a plan has not, and a log that cannot answer, are refused though their form is right
            case.validate_response(reply, excluded_checks=[schemathesis.checks.positive_data_acceptance])
            if reply.headers["content-type"] == ["application/json"]:
                json.loads(reply.content, parse_constant=consumers._no_constant)

        if mode is schemathesis.GenerationMode.POSITIVE or operation.path_parameters or operation.body:
            answered()


def test_every_route_says_what_it_answers(app: Any) -> None:
    description = app.openapi()
    paths = set(description["paths"])
    assert {"/argo/{name}", "/spinnaker/{name}", "/flagger/{name}/{hook}", "/api/v1/query", "/metrics"} <= paths
    for path, item in description["paths"].items():
        for operation in item.values():
            assert "200" in operation["responses"], path
            assert operation["operationId"]
            assert "HTTPValidationError" not in json.dumps(operation)
    assert json.dumps(description, allow_nan=False)
