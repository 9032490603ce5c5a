"""What a posterior says of a metric, for a decision that shows it by its name."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abkit.evidence import TestResult
from abkit.report import Report
from abkit.sequential import Bayesian
from abkit.sequential._belief import loss_of, probability_of
from abkit.sequential._counts_posterior import CountsEffect
from abkit.types import Null, Relative


@dataclass(frozen=True, slots=True)
class Belief:
    """Given the data and the prior: how probably a metric is better than a null, and what either verdict loses.

    `loss` is the expected loss of a promotion, `loss_without` that of going without the treatment, both in the metric's
    unit, and `limit` what is accepted; None where the plan does not decide by loss.
    """

    probability: float
    worse: float
    loss: float
    loss_without: float
    limit: float | None


def belief_of(monitor: Bayesian, test: TestResult, null: Null, sign: float, *, by_loss: bool) -> Belief:
    """What is believed of a test's effect against a null; `sign` is 1 where larger values are better."""
    better, worse = (probability_of(test.effect, null, way) for way in (sign, -sign))
    losses = _losses(test, null, sign)
    return Belief(better, worse, *losses, monitor.limit(test.effect) if by_loss else None)


def _losses(test: TestResult, null: Null, sign: float) -> tuple[float, float]:
    """Of a promotion, and of going without: the smaller one by itself, the other by the distance from the null."""
    gap = test.estimate - (null.value * abs(test.control) if isinstance(null, Relative) else null)
    if sign * gap > 0:
        smaller = loss_of(test.effect, null, sign)
        return smaller, smaller + abs(gap)
    smaller = loss_of(test.effect, null, -sign)
    return smaller + abs(gap), smaller


def shown(report: Report, test: TestResult, null: Null, way: float, alpha: float, *, by_loss: bool) -> bool:
    """Whether a test shows a change this way: its p-value is below alpha, or the posterior is as the plan demands."""
    if not test.statistic * way > 0:
        return False
    if isinstance(test.effect, CountsEffect) and not test.effect.observed_beyond(null, way):
        return False  # no unit says so, only the prior
    monitor = report.experiment.monitor
    if by_loss and isinstance(monitor, Bayesian) and monitor.loss is not None:
        return monitor.passes(test, null, way, alpha)
    return test.pvalue < alpha


def in_words(belief: Belief, code: str) -> str:
    """The part of a reason's message that says how probable it is, and what it may cost."""
    kind, probability, loss = _KINDS.get(code, _KINDS["SUCCESS_SUPERIOR"]), belief.probability, belief.loss
    if code == "HARM_SHOWN":
        probability, loss = belief.worse, belief.loss_without
    words = f"; probability of being {kind} {_near(probability)}"
    if belief.limit is None:
        return words
    of = "going without it" if code == "HARM_SHOWN" else "a promotion"
    return f"{words}, expected loss of {of} {loss:.3g} against {belief.limit:.3g}"


_KINDS = {
    "HARM_SHOWN": "worse",
    "SUCCESS_SUPERIOR": "better",
    "GUARDRAIL_NONINFERIOR": "within its margin",
    "GUARDRAIL_NONINFERIORITY_NOT_SHOWN": "within its margin",
}


def _near(probability: float) -> str:
    """A probability in which what is left to 1 can be read."""
    if math.isnan(probability):
        return "unknown"
    left = 1 - probability
    return f"{probability:.4f}" if left >= 5e-4 or left == 0 else f"1 - {left:.2g}"
