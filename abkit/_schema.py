"""JSON Schemas of what goes in and comes out, read off the classes themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from abkit._plan import SCHEMA as PLAN
from abkit.decision import Decision
from abkit.decision._decision import SCHEMA as DECISION
from abkit.experiment import Experiment
from abkit.metrics import KINDS as METRICS
from abkit.metrics import Metric
from abkit.sequential import KINDS as MONITORS
from abkit.sequential import GroupSequential
from abkit.sequential._bayesian import PRIORS
from abkit.strategies import KINDS as STRATEGIES
from abkit.strategies import Stage, Strategy
from abkit.types import Cap, Relative, Sum

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Monitors that need nothing but their name.
_BARE = [kind for kind in MONITORS if kind != GroupSequential.kind]


def plan_schema() -> dict[str, Any]:
    """The schema of a plan file."""
    schema = _object(Experiment)
    schema["properties"] = {"schema": {"const": PLAN}, **schema["properties"]}
    # a control or a label may be written as a number or as true and false
    schema["properties"]["control"] = {"type": ["string", "integer", "boolean"]}
    # what its strategy may say for it
    for name in ("monitor", "assignment", "adjust"):
        schema["properties"][name] = {"anyOf": [schema["properties"][name], {"type": "null"}]}
    schema["required"] = ["metrics"]
    schema["anyOf"] = [{"required": ["unit", "variant", "control"]}, {"required": ["strategy"]}]
    nodes = {"type": "array", "items": {"$ref": "#/$defs/node"}, "minItems": 1}
    schema["$defs"] = {"node": {"oneOf": [{"type": "string"}, *(_of(word, nodes) for word in ("all", "any"))]}}
    return {"$schema": DIALECT, "title": PLAN, **schema}


def decision_schema() -> dict[str, Any]:
    """The schema of a decision."""
    schema = _object(Decision, complete=True)
    schema["properties"] = {"schema": {"const": DECISION}, **schema["properties"]}
    schema["required"] = ["schema", *schema["required"]]
    return {"$schema": DIALECT, "title": DECISION, **schema}


def _object(cls: type, kind: str | None = None, *, complete: bool = False) -> dict[str, Any]:
    hints = get_type_hints(cls)
    properties = {"kind": {"const": kind}} if kind else {}
    required = ["kind"] if kind else []
    for field in fields(cls):
        special = None if complete else _special(field.name)  # names of a plan's fields
        properties[field.name] = special or _schema(hints[field.name], complete=complete)
        if complete or (field.default is MISSING and field.default_factory is MISSING):
            required.append(field.name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _of(word: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {word: schema}, "required": [word], "additionalProperties": False}


def _special(name: str) -> dict[str, Any] | None:
    texts = {"type": "array", "items": {"type": "string"}}
    special: dict[str, dict[str, Any]] = {
        "covariates": {
            "anyOf": [
                {"type": "string"},
                _schema(Sum),
                {"type": "array", "items": {"anyOf": [{"type": "string"}, _schema(Sum)]}},
            ]
        },
        "promote": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        "segments": {"anyOf": [{"type": "string"}, texts]},
        "key": {"anyOf": [{"type": "string"}, texts]},
    }
    return special.get(name)


def _schema(hint: Any, *, complete: bool = False) -> dict[str, Any]:
    if hint is Metric:
        return {"oneOf": [_object(cls, kind) for kind, cls in METRICS.items()]}
    if hint is Strategy:
        return {"oneOf": [{"enum": list(STRATEGIES)}, *(_object(cls, kind) for kind, cls in STRATEGIES.items())]}
    if hint in MONITORS.values():
        return {"oneOf": [{"enum": _BARE}, *(_object(cls, kind) for kind, cls in MONITORS.items())]}
    if hint in _WRAPPED:
        return _WRAPPED[hint]
    if is_dataclass(hint) and isinstance(hint, type):
        return _object(hint, complete=complete)
    return _plain(hint, complete=complete)


def _prior(cls: type, kind: str) -> dict[str, Any]:
    """A prior; one that names no kind is normal."""
    schema = _object(cls, kind)
    return {**schema, "required": [name for name in schema["required"] if (name, kind) != ("kind", "normal")]}


def _plain(hint: Any, *, complete: bool) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(argument, complete=complete) for argument in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], complete=complete)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], complete=complete)}
    return {"type": {str: "string", float: "number", int: "integer", bool: "boolean", NoneType: "null"}[hint]}


def _wrapper(name: str, kind: str) -> dict[str, Any]:
    return _of(name, {"type": kind})


_WRAPPED: dict[Any, dict[str, Any]] = {
    Relative: _wrapper("relative", "number"),
    Sum: _wrapper("sum", "string"),
    Cap: {"oneOf": [_wrapper("quantile", "number"), _wrapper("value", "number")]},
}
_PRIOR = {"oneOf": [_prior(cls, kind) for kind, cls in PRIORS.items()]}
_WRAPPED |= dict.fromkeys(PRIORS.values(), _PRIOR)
_WRAPPED[Stage] = {"anyOf": [{"type": "number"}, _object(Stage)]}
