"""What each verdict is expected to cost, by the posterior of one metric's effect."""

from __future__ import annotations

import math

from scipy.special import erfcx, ndtr

from abkit.decision._decision import rounded
from abkit.report import MetricResult, Report
from abkit.rule import Costs


def losses_of(report: Report, variant: str | None) -> dict[str, float | None] | None:
    """The expected loss of each verdict; None where the plan names no costs, or the metric has no estimate.

    Of several treatments, that of the one that is promoted, else of the one with the largest gain.
    """
    costs = report.experiment.rule.costs
    if costs is None:
        return None
    rows = [row for row in report.results if row.metric == costs.metric and variant in (None, row.variant)]
    sign = report.experiment.metrics[costs.metric].sign
    known = [posterior for row in rows if (posterior := _posterior(row, sign)) is not None]
    if not known:
        return dict.fromkeys(("promote", "continue", "rollback"))
    return {verdict: rounded(loss) for verdict, loss in expected_losses(costs, *max(known)).items()}


def expected_losses(costs: Costs, mean: float, deviation: float) -> dict[str, float]:
    """Of each verdict, against knowing the effect: normal with this mean, positive for the better.

    A promotion loses max(-effect, 0), a rollback max(effect, 0) and its own cost, both for every unit; going on loses
    the delay, as if the next look told the effect. E max(effect, 0) = s (phi(z) + z Phi(z)) with z = mean / s
    (Raiffa and Schlaifer 1961, Applied Statistical Decision Theory, sec. 5.4).
    """
    worth = costs.value * costs.units
    return {
        "promote": worth * _mean_above_zero(-mean, deviation),
        "continue": costs.delay,
        "rollback": worth * _mean_above_zero(mean, deviation) + costs.rollback,
    }


def _mean_above_zero(mean: float, deviation: float) -> float:
    """E max(x, 0) of a normal x."""
    if deviation == 0 or abs(mean) > 1e6 * deviation:
        return max(mean, 0.0)
    z = mean / deviation
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    if z > 0:
        return deviation * (density + z * float(ndtr(z)))
    # by Mills' ratio: the two terms of the sum above cancel here
    return deviation * density * (1 + z * math.sqrt(math.pi / 2) * float(erfcx(-z / math.sqrt(2))))


def _posterior(row: MetricResult, sign: float) -> tuple[float, float] | None:
    """Mean and standard deviation of the gain, under a flat prior; None where the estimate is no difference."""
    test = row.test
    if test is None or test.scale != "difference":
        return None
    found = sign * test.estimate, test.stderr
    return found if all(map(math.isfinite, found)) else None
