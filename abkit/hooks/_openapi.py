"""What the server's replies hold, for its OpenAPI description."""

from __future__ import annotations

from typing import Any

from abkit.hooks._prometheus import SERIES

Schema = dict[str, Any]
VERDICT: Schema = {"enum": ["promote", "continue", "rollback"]}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _maybe(kind: str) -> Schema:
    return {"type": [kind, "null"]}


ANSWER: Schema = {
    "outcome": {"enum": ["promote", "continue", "rollback", "blocked"]},
    "blocked": {"type": "boolean"},
    "final": {"type": "boolean"},
    "variant": _maybe("string"),
    "stage": _maybe("integer"),
    "stages": _maybe("integer"),
    "next_weight": _maybe("number"),
    "next_look_not_before": _maybe("string"),
    "reason": {"type": "string"},
    "decision_id": _maybe("string"),
}
#: What Kayenta's own documents describe.
ANY: Schema = {"type": "object"}
ARGO = _object({"decision": VERDICT, **ANSWER})
FLAGGER = _object({"verdict": VERDICT, **ANSWER})
SPINNAKER = _object({"status": VERDICT, "progress": {"type": "string"}, **ANSWER})
REFUSAL = _object({"error": _object({"code": {"type": "string"}, "message": {"type": "string"}})})
PLAN = _object(
    {
        "name": {"type": "string"},
        "sha256": {"type": "string"},
        "strategy": {"type": "string"},
        "metrics": {"type": "array", "items": {"type": "string"}},
        "stages": {"type": "array", "items": {"type": "number"}},
    }
)
PLANS = _object({"plans": {"type": "array", "items": PLAN}})
HEALTH = _object({"status": {"const": "ok"}})
_SAMPLE = _object(
    {
        "metric": {"type": "object", "additionalProperties": {"type": "string"}},
        "value": {"type": "array", "prefixItems": [{"type": "number"}, {"enum": ["-1", "0", "1"]}], "minItems": 2},
    }
)
PROMETHEUS = _object(
    {
        "status": {"const": "success"},
        "data": _object({"resultType": {"const": "vector"}, "result": {"type": "array", "items": _SAMPLE}}),
    }
)
PROMETHEUS_ERROR = _object({"status": {"const": "error"}, "errorType": {"type": "string"}, "error": {"type": "string"}})
QUERY_HELP = f"`vector(1)`, or one of {', '.join(SERIES)} with the label `plan`, and `stage` and `look` where needed."
#: What any route may answer where the request, or the server, is at fault.
REFUSALS = {
    400: "The request is wrong.",
    404: "There is no such plan.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    500: "A fault of abkit itself.",
    503: "The server is busy.",
}


def responses(schema: Schema, what: str, *, more: dict[int, tuple[Schema, str]] | None = None) -> Any:
    """A route's answers, for FastAPI."""
    found = {200: (schema, what), **{status: (REFUSAL, text) for status, text in REFUSALS.items()}, **(more or {})}
    return {status: _response(schema, what) for status, (schema, what) in sorted(found.items())}


def _response(schema: Schema, what: str) -> Schema:
    return {"description": what, "content": {"application/json": {"schema": schema}}}


def without_validation(description: Schema) -> Schema:
    """An OpenAPI description without the framework's own answer to wrong requests: here these are a 400."""
    for item in description["paths"].values():
        for operation in item.values():
            content = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
            if content.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
                del operation["responses"]["422"]
    schemas = description.get("components", {}).get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return description
