"""The tree of a rule: what it shares, when it holds, and what a promotion then waits for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import abkit as ab
from abkit.decision import decide_report
from abkit.rule import shares_of
from tests.decision.test_rule import GUARDRAIL, SUCCESS, WATCHED, codes, report_of, z_of

NAMES = st.sampled_from("abcd")
TREES = st.recursive(
    NAMES,
    lambda inner: st.builds(lambda kind, nodes: kind(*nodes), st.sampled_from([ab.AllOf, ab.AnyOf]),
                            st.lists(inner, min_size=1, max_size=3)),
    max_leaves=8,
).filter(lambda node: not isinstance(node, str))  # fmt: skip

METRICS: dict[str, ab.Metric] = {"orders": SUCCESS, "revenue": SUCCESS, "latency": GUARDRAIL, "errors": GUARDRAIL}


def decided(tree: Any, found: dict[str, float | None], **plan: Any) -> ab.Decision:
    return decide_report(report_of(METRICS, found, rule=ab.Rule(promote=tree), **plan))


def test_all_takes_every_node_at_the_whole_of_alpha() -> None:
    tree = ab.AllOf("orders", "revenue")
    one = {"orders": 3.0, "revenue": 1.0, "latency": 1.0, "errors": 1.0}
    assert decided(tree, one).verdict == "continue"
    assert codes(decided(tree, one)) == ["SUCCESS_NOT_SHOWN"]
    both = decided(tree, {**one, "revenue": z_of(0.0499)})
    assert both.verdict == "promote"
    assert {metric.level for metric in both.metrics} == {0.95}


def test_any_shares_alpha_and_guardrails_outside_the_tree_must_hold_too() -> None:
    tree = ab.AnyOf("orders", "revenue")
    within = {"orders": z_of(0.0249), "revenue": 0.0, "latency": 1.0, "errors": 1.0}
    assert decided(tree, within).verdict == "promote"
    assert decided(tree, {**within, "orders": z_of(0.0251)}).verdict == "continue"
    outside = decided(tree, {**within, "errors": -1.0})
    assert (outside.verdict, codes(outside)) == ("continue", ["GUARDRAIL_NONINFERIORITY_NOT_SHOWN"])


def test_a_guardrail_may_be_one_way_among_several() -> None:
    tree = ab.AnyOf("orders", ab.AllOf("revenue", "latency"))
    found = {"orders": 0.0, "revenue": 3.0, "latency": 1.0, "errors": 3.0}
    assert decided(tree, found).verdict == "promote"
    assert decided(tree, {**found, "latency": -1.0}).verdict == "continue"
    assert decided(tree, {**found, "latency": -1.0, "orders": 3.0}).verdict == "promote"


def test_harm_rolls_back_whatever_the_tree_says() -> None:
    found = {"orders": 9.0, "revenue": -9.0, "latency": 9.0, "errors": 9.0}
    assert decided("orders", found).verdict == "rollback"


def test_treatments_share_alpha_of_success_metrics() -> None:
    found = {("orders", "x"): z_of(0.03), ("orders", "y"): 0.0}
    metrics: dict[str, ab.Metric] = {"orders": SUCCESS}
    rule = ab.Rule(promote="orders")
    assert decide_report(report_of(metrics, found, rule=rule)).verdict == "continue"
    assert decide_report(report_of(metrics, found, rule=rule, adjust="none")).verdict == "promote"


def test_alpha_rollback_is_shared_by_all_that_can_roll_back() -> None:
    metrics: dict[str, ab.Metric] = {"s": SUCCESS, "g": GUARDRAIL, "d": WATCHED, "q": ab.Mean("x", role="quality")}
    rule = ab.Rule(alpha_rollback=0.03)  # one-sided 0.01 each: two-sided 0.02
    found = {"s": 0.0, "g": 0.0, "d": -z_of(0.0199), "q": 0.0}
    decision = decide_report(report_of(metrics, found, rule=rule))
    assert (decision.verdict, decision.risk.false_rollback_max) == ("rollback", 0.03)
    reason = next(reason for reason in decision.reasons if reason.code == "HARM_SHOWN")
    assert reason.level == pytest.approx(0.98)
    assert decide_report(report_of(metrics, {**found, "d": -z_of(0.0201)}, rule=rule)).verdict == "continue"


@given(TREES, st.lists(st.booleans(), min_size=4, max_size=4))
def test_a_tree_of_false_hypotheses_spends_at_most_alpha(tree: ab.AllOf | ab.AnyOf, shown: list[bool]) -> None:
    """Each leaf at its share: leaves that alone make the tree hold have shares that add up to one at most."""
    share = dict(tree.shares())
    assert all(0 < value <= 1 for value in share.values())
    assert set(share) == set(tree.metrics()) == set(shares_of(tree))
    # worst case: disjoint events of each leaf's share; the tree's probability by the union over AnyOf, min over AllOf
    assert bound(tree, 1.0) <= 1 + 1e-12
    truth = dict(zip("abcd", shown, strict=True))
    arrays = {name: np.array([value, not value]) for name, value in truth.items()}
    assert tree.holds(arrays)[0] == tree.holds(truth)


def bound(node: Any, share: float) -> float:
    if isinstance(node, str):
        return share
    if isinstance(node, ab.AllOf):
        return min(bound(inner, share) for inner in node.nodes)
    return sum(bound(inner, share / len(node.nodes)) for inner in node.nodes)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (lambda: ab.Rule(promote=ab.AllOf()), "`all` must have at least one"),
        (lambda: ab.Rule(promote=ab.AnyOf("a", 5)), "`any` must be text; got 5"),
        (lambda: ab.Rule(alpha_rollback=0.5), "`rule.alpha_rollback` must be between 0 and 0.5"),
        (lambda: ab.Rule(alpha_rollback=float("nan")), "`rule.alpha_rollback` must be between"),
        (lambda: ab.Rule(tainted="maybe"), "`rule.tainted` must be one of"),
        (lambda: ab.Rule(costs={"metric": "a"}), "`rule.costs` must be Costs"),
        (lambda: ab.Costs("a", value=-1, units=5), "`rule.costs.value` must be greater than 0"),
    ],
)
def test_a_rule_that_cannot_be(rule: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        rule()


@pytest.mark.parametrize(
    ("tree", "says"),
    [("odrers", "must name a metric of the plan; got 'odrers'. Did you mean 'orders'"),
     ("watched", "`watched` is a deterioration metric")],
)  # fmt: skip
def test_a_tree_names_metrics_that_can_be_shown(tree: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ab.Experiment("u", "v", "c", {"orders": SUCCESS, "watched": WATCHED}, rule=ab.Rule(promote=tree))


def test_a_tree_is_read_from_a_file_and_written_to_it() -> None:
    plain = {"promote": {"all": ["latency", {"any": ["orders", "revenue"]}]}, "alpha_rollback": 0.05}
    base = {"unit": "u", "variant": "v", "control": "c",
            "metrics": {"orders": {"kind": "mean", "value": "o"}, "revenue": {"kind": "mean", "value": "r"},
                        "latency": {"kind": "mean", "value": "l", "role": "guardrail", "margin": 1}}}  # fmt: skip
    plan = ab.Experiment.from_dict({**base, "rule": plain})
    assert plan.rule == ab.Rule(ab.AllOf("latency", ab.AnyOf("orders", "revenue")), 0.05)
    assert ab.Experiment.from_dict(plan.to_dict()) == plan
    for wrong in ({"some": ["orders"]}, {"all": "orders"}, ["orders"], 5, {"all": ["orders"], "any": ["revenue"]}):
        with pytest.raises(ab.PlanError, match=r"`rule.promote` must be a metric, all: \[...\] or any"):
            ab.Experiment.from_dict({**base, "rule": {"promote": wrong}})
