"""The JSON Schemas: what abkit reads and writes is valid under them, and what is not valid it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import abkit as ab
from abkit._schema import decision_schema, plan_schema
from abkit.adapters._plan_file import read_mapping
from tests.test_broken_plans import FIELDS, changed
from tests.test_plan import EXAMPLES, FULL, SMALL, plans

PLAN = jsonschema.Draft202012Validator(plan_schema())
DECISION = jsonschema.Draft202012Validator(decision_schema())


@pytest.mark.parametrize("schema", [plan_schema(), decision_schema()], ids=["plan", "decision"])
def test_a_schema_is_a_schema_and_strict_json(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_the_examples_are_valid(path: Path) -> None:
    PLAN.validate(read_mapping(path))
    PLAN.validate(ab.Experiment.from_file(path).to_dict())


@pytest.mark.parametrize("plan", [FULL, SMALL], ids=["full", "small"])
def test_what_a_plan_writes_is_valid(plan: ab.Experiment) -> None:
    PLAN.validate(plan.to_dict())


@given(plans())
@settings(max_examples=25)
def test_any_plan_writes_what_is_valid(plan: ab.Experiment) -> None:
    PLAN.validate(plan.to_dict())


# ways to write a field that a plan reads
SPELLINGS: list[dict[str, Any]] = [
    {"control": 0, "allocation": None},
    {"control": False, "allocation": None},
    {"segments": "day"},
    {"segments": ["day"]},
    {"key": "row", "exposure": None},
    {"metrics": {"m": {"kind": "mean", "value": "a", "covariates": "b"}}},
    {"metrics": {"m": {"kind": "mean", "value": "a", "covariates": {"sum": "b"}}}},
    {"metrics": {"m": {"kind": "mean", "value": "a", "covariates": ["b", {"sum": "c"}]}}},
    {"metrics": {"m": {"kind": "mean", "value": "a", "cap": None, "margin": None, "missing": None}}},
    {"metrics": {"m": {"kind": "mean", "value": "a", "cap": {"quantile": 0.5}, "margin": {"relative": 0}}}},
    {"metrics": {"m": {"kind": "ratio", "numerator": "a", "denominator": "ROWS", "denominator_cap": {"value": 3}}}},
    {"monitor": {"kind": "fixed-horizon"}},
    {"quality": {}},
    {"allocation": {"control": 1, "treatment": 0.5}},
    {"unit": "ROWS", "assignment": "adaptive", "propensity": "p", "order": "time"},
    {"unit": "ROWS", "assignment": "adaptive", "propensity": {"control": "p", "new": "q"}, "order": "time"},
]


@pytest.mark.parametrize("change", SPELLINGS)
def test_what_a_plan_reads_is_valid(change: dict[str, Any]) -> None:
    data = {**SMALL.to_dict(), **change}
    ab.Experiment.from_dict(data)
    PLAN.validate(data)


def test_a_plan_without_optional_fields_is_valid() -> None:
    PLAN.validate({name: SMALL.to_dict()[name] for name in ("unit", "variant", "control", "metrics")})


# rows of the table of broken plans whose fault is in the structure, not in a number
STRUCTURE = [
    row
    for row in FIELDS
    if row[0].startswith(("unknown ", "no ", "kind ", "both ", "nested", "wrong version", "unsupported"))
    or row[0].endswith(("as list", "as text", "as mapping", "as boolean", "as number", " null", "of text", "two keys"))
]


@pytest.mark.parametrize("row", STRUCTURE, ids=[row[0] for row in STRUCTURE])
def test_a_wrong_structure_is_not_valid(row: tuple[str, dict[str, Any], list[str]]) -> None:
    assert not PLAN.is_valid(changed(row[1]))


def log(effect: float, n: int = 60) -> pd.DataFrame:
    treated = np.arange(n) % 2
    variant = np.where(treated, "treatment", "control")
    return pd.DataFrame({"user": np.arange(n), "variant": variant, "revenue": effect * treated + np.arange(n) % 5})


GUARD = ab.Mean("revenue", role="guardrail", margin=ab.relative(0.1), direction="decrease")
# a plan and a log for every verdict and shape of evidence
DECISIONS: list[tuple[str, ab.Experiment, pd.DataFrame]] = [
    ("promote", SMALL, log(2.0)),
    ("rollback", SMALL, log(-2.0)),
    ("continue", SMALL, log(0.0)),
    ("no data", SMALL, log(0.0, 2)),
    ("blocked", ab.Experiment("user", "variant", "control", SMALL.metrics, allocation={"control": 9, "treatment": 1}),
     log(2.0)),
    ("guardrail", ab.Experiment("user", "variant", "control", {"g": GUARD, "m": ab.Mean("revenue")}), log(0.0)),
    ("control at zero", ab.Experiment("user", "variant", "control", {"g": GUARD}), log(3.0).eval(
        "revenue = revenue - 2")),
    ("control all zero", ab.Experiment("user", "variant", "control", {"g": GUARD}), log(3.0).eval(
        "revenue = revenue * (variant == 'treatment')")),
]  # fmt: skip


@pytest.mark.parametrize(("plan", "table"), [row[1:] for row in DECISIONS], ids=[row[0] for row in DECISIONS])
def test_every_decision_is_valid_and_strict_json(plan: ab.Experiment, table: pd.DataFrame) -> None:
    decision = ab.decide(plan, table)
    DECISION.validate(json.loads(decision.to_json()))
    assert json.loads(decision.to_json()) == decision.to_dict()
    assert json.loads(decision.to_json(indent=2)) == decision.to_dict()


def test_a_decision_names_its_schema_first_and_has_every_field() -> None:
    data = ab.decide(SMALL, log(2.0)).to_dict()
    assert list(data) == decision_schema()["required"]
    assert (next(iter(data)), data["schema"]) == ("schema", "abkit.decision/1")


@pytest.mark.parametrize(
    "change",
    [{"verdict": "maybe"}, {"blocked": None}, {"variants": {"treatment": "ship"}}, {"reasons": None}, {"extra": 1}],
)
def test_a_wrong_decision_is_not_valid(change: dict[str, Any]) -> None:
    data = json.loads(ab.decide(SMALL, log(2.0)).to_json())
    assert DECISION.is_valid(data)
    assert not DECISION.is_valid({**data, **change})
