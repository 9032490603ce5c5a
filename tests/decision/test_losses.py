"""What verdicts are expected to cost: against numerical integration."""

from __future__ import annotations

import json
import math
from typing import Any

import mpmath
import pytest

import abkit as ab
from abkit import Moments
from abkit.decision._losses import expected_losses

COSTS = ab.Costs(metric="x", value=2.0, units=1000.0, rollback=30.0, delay=7.0)


def integral(mean: float, deviation: float) -> float:
    """E max(x, 0) of a normal x, by quadrature of 30 digits."""
    with mpmath.workdps(30):
        mean, deviation = mpmath.mpf(mean), mpmath.mpf(deviation)
        peak = max(mean, mpmath.mpf(0))
        ends = [0, *(e for e in (peak + k * deviation for k in range(-12, 13)) if e > 0), peak + 60 * deviation]
        return float(mpmath.quad(lambda x: x * mpmath.npdf(x, mean, deviation), sorted(ends)))


@pytest.mark.parametrize(
    ("mean", "deviation"), [(0.0, 1.0), (0.4, 0.2), (-0.4, 0.2), (3.0, 1.0), (-8.0, 1.0), (-20.0, 1.0), (12.0, 1.5)]
)
def test_losses_are_integrals_over_the_posterior(mean: float, deviation: float) -> None:
    found = expected_losses(COSTS, mean, deviation)
    assert found["promote"] == pytest.approx(2000 * integral(-mean, deviation), rel=1e-10, abs=0)
    assert found["rollback"] - 30 == pytest.approx(2000 * integral(mean, deviation), rel=1e-10, abs=1e-11)
    assert found["continue"] == 7


def test_far_effects_and_no_spread_stay_finite() -> None:
    for mean, deviation in ((1e300, 1e-300), (-1e300, 1e-300), (1.0, 0.0), (-1e8, 1.0), (0.0, 1e-320), (0.0, 0.0)):
        found = expected_losses(ab.Costs(metric="x", value=1.0, units=1.0), mean, deviation)
        assert all(math.isfinite(loss) and loss >= 0 for loss in found.values())
        assert found["rollback"] - found["promote"] == pytest.approx(mean)


def plan(**rule: Any) -> ab.Experiment:
    metrics = {"x": ab.Mean("x", direction="decrease"), "y": ab.Mean("y", role="deterioration")}
    return ab.Experiment(unit="user", variant="variant", control="old", metrics=metrics, rule=ab.Rule(**rule))


SUMS = {
    "old": {"x": Moments(900, 2.0, 8100.0), "y": Moments(900, 2.0, 8100.0)},
    "new": {"x": Moments(900, 1.8, 8300.0), "y": Moments(900, 2.0, 8300.0)},
}


def test_a_decision_says_them_and_does_not_follow_them() -> None:
    without, given = ab.decide(plan(), SUMS), ab.decide(plan(costs=COSTS), SUMS)
    assert without.losses is None
    assert "expected to cost" not in str(without)
    assert (given.verdict, given.evidence_sha256) == (without.verdict, without.evidence_sha256)
    row = plan().analyze(SUMS).result("x")
    assert given.losses is not None
    assert given.losses["promote"] == pytest.approx(2000 * integral(row.estimate, row.stderr), rel=1e-8)
    assert given.losses["promote"] < given.losses["rollback"]
    assert "expected to cost: promote" in str(given)
    assert json.loads(given.to_json())["losses"] == given.losses


def test_an_unknown_effect_has_no_losses() -> None:
    sums = {"old": SUMS["old"], "new": {"y": SUMS["new"]["y"]}}
    assert ab.decide(plan(costs=COSTS), sums).losses == {"promote": None, "continue": None, "rollback": None}


def test_of_several_treatments_the_best_counts() -> None:
    more = {**SUMS, "newest": {**SUMS["new"], "x": Moments(900, 0.5, 8300.0)}}
    both, one = (
        ab.decide(plan(costs=COSTS), more),
        ab.decide(plan(costs=COSTS), {k: more[k] for k in ("old", "newest")}),
    )
    assert both.variant == "newest"
    assert both.losses == one.losses
