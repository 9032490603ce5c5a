"""Scenarios: what they may hold, and which every plan gets."""

from __future__ import annotations

import json
import pickle
import re

import pytest

import abkit as ab
from abkit.simulate import Scenario, default_scenarios

METRICS = {
    "revenue": ab.Mean("revenue"),
    "errors": ab.Mean("errors", role="guardrail", direction="decrease", margin=0.1),
    "latency": ab.Mean("latency", role="guardrail", direction="decrease", margin=ab.relative(0.05)),
    "refunds": ab.Mean("refunds", role="deterioration", direction="decrease"),
}


def plan(**fields):
    return ab.Experiment(**{"unit": "user", "variant": "variant", "control": "old", "metrics": METRICS} | fields)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": " "}, "`name` must not be empty"),
        ({"effects": ["revenue"]}, "`effects` must map metrics to effects; got ['revenue'] (list)."),
        ({"effects": {"revenue": float("nan")}}, "`effects.revenue` must be finite; got nan."),
        ({"correlation": 1.0}, "`correlation` must be between -1 and 1; got 1."),
        ({"autocorrelation": -0.1}, "`autocorrelation` must be at least 0; got -0.1."),
        ({"autocorrelation": 1.0}, "`autocorrelation` must be below 1; got 1."),
        ({"drift": float("inf")}, "`drift` must be finite; got inf."),
        ({"ramp": 0.5}, "`ramp` must be a list of shares; got 0.5."),
        ({"ramp": ()}, "`ramp` must have at least one stage."),
        ({"ramp": (0.1, 1.0)}, "`ramp` must be between 0 and 1; got 1."),
        ({"allocation": {"old": -1}}, "`allocation.old` must be at least 0; got -1."),
        ({"allocation": {"old": 0}}, "`allocation` must have a weight above 0."),
        ({"events": 0}, "`events` must be greater than 0; got 0."),
        ({"missing": 3}, "`missing` must be text; got 3."),
        ({"late": 1.0}, "`late` must be below 1; got 1."),
        ({"duplicates": -1}, "`duplicates` must be at least 0; got -1."),
        ({"contaminated": 2}, "`contaminated` must be below 1; got 2."),
        ({"events": 10, "late": 0.1}, "`late` must be left out beside `events`; got 0.1."),
    ],
)
def test_a_field_outside_its_domain_is_named(fields, says):
    with pytest.raises((TypeError, ValueError), match=re.escape(says)):
        Scenario(**{"name": "x"} | fields)


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        (
            Scenario("x", {"revenu": 1}),
            "`effects` of 'x' must be among revenue, errors, latency, refunds; got 'revenu'.",
        ),
        (Scenario("x", missing="new"), "`missing` of 'x' must be among old, treatment; got 'new'."),
        (Scenario("x", allocation={"old": 1, "nw": 1}), "`allocation` of 'x' must be among old, treatment; got 'nw'."),
        (Scenario("x", allocation={"old": 1}), "`allocation` of 'x' must name every variant: old, treatment."),
        (Scenario("x", correlation=-0.5), "`correlation` of 'x' must be at least -0.333 between 4 metrics; got -0.5."),
    ],
)
def test_what_the_plan_does_not_have_is_named(scenario, says):
    with pytest.raises(ab.PlanError, match=re.escape(says)):
        scenario.check(plan())


def test_every_guardrail_is_seen_at_its_margin_beside_the_planned_gain():
    found = {scenario.name: scenario for scenario in default_scenarios(plan())}
    assert dict(found["errors at its margin"].effects) == {"revenue": 1.0, "errors": -1.0}
    assert dict(found["latency at its margin"].effects) == {"revenue": 1.0, "latency": -1.0}
    assert dict(found["no effect"].effects) == {}
    assert dict(found["harm -1.5"].effects) == {"revenue": 1.0, "errors": -1.5, "latency": -1.5, "refunds": -1.5}


@pytest.mark.parametrize("role", ["success", "guardrail", "deterioration", "quality"])
def test_a_plan_of_one_metric_has_scenarios_with_names_of_their_own(role):
    metric = ab.Mean("value", role=role, margin=1.0 if role == "guardrail" else None)
    found = default_scenarios(plan(metrics={"value": metric}))
    names = [scenario.name for scenario in found]
    assert len(set(names)) == len(names)
    assert "correlated metrics" not in names
    for scenario in found:
        scenario.check(plan(metrics={"value": metric}))


def test_pairs_are_not_assigned():
    names = {scenario.name for scenario in default_scenarios(plan(metrics={"ms": ab.Paired("ms")}))}
    assert not names & {"sample-ratio mismatch", "units in two variants", "ramp, all get better"}


def test_a_plan_without_a_treatment_is_refused():
    with pytest.raises(ab.PlanError, match="must give a treatment units"):
        default_scenarios(plan(allocation={"old": 1, "new": 0}))


def test_no_two_scenarios_are_of_one_world():
    guardrail = {"errors": METRICS["errors"]}
    for metrics in (METRICS, guardrail, {"revenue": METRICS["revenue"]} | guardrail):
        worlds = [{**scenario.to_dict(), "name": ""} for scenario in default_scenarios(plan(metrics=metrics))]
        assert all(world not in worlds[:i] for i, world in enumerate(worlds))


def test_a_scenario_can_be_sent_to_another_process():
    scenario = Scenario("x", {"revenue": 1.0}, ramp=(0.1, 0.5), allocation={"old": 1, "treatment": 3}, drift=1.0)
    assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_a_scenario_is_plain_values():
    scenario = Scenario("x", {"revenue": 1.0}, ramp=(0.1, 0.5), allocation={"old": 1, "treatment": 3})
    values = json.loads(json.dumps(scenario.to_dict(), allow_nan=False))
    assert (values["effects"], values["ramp"], values["allocation"]["treatment"]) == ({"revenue": 1.0}, [0.1, 0.5], 3.0)
